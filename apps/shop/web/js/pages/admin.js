// admin.js - the shopkeeper's pages: items to create and change, and everybody's orders.

import { call, fieldOf, words } from '../api.js';
import { tile } from '../art.js';
import { alertBox, h, icon, setAlert, show, skeleton, toast } from '../dom.js';
import { count, dateTime, money, parseMoney, plainMoney, shortId } from '../format.js';
import { pager, whileBusy } from '../parts.js';
import { follow, stateBadge } from './orders.js';

function frame(here, ...content) {
  const tab = (href, text) => h('a', { href, 'aria-current': href === here ? 'page' : undefined }, text);
  return [
    h(
      'header.admin-top',
      {},
      h('h1.page-title', { tabindex: '-1' }, 'Shopkeeping'),
      h('nav.tabs', { 'aria-label': 'Shopkeeping' }, tab('#/admin', 'Items'), tab('#/admin/orders', 'Orders')),
    ),
    ...content,
  ];
}

// ---- items ---------------------------------------------------------------------------------------------------------

function field(label, input, hint) {
  const id = `item-${input.name}`;
  input.id = id;
  return h('p.field', {}, h('label', { for: id }, label), input, hint && h('span.hint', {}, hint));
}

/** The form for a new item (`item` null) or an old one; resolves with the stored item, or null when it was closed. */
function itemDialog(item) {
  const alert = alertBox();
  const save = h('button.button', { type: 'submit' }, item ? 'Save' : 'Put on sale');
  const id = h('input', {
    name: 'id',
    required: true,
    pattern: 'sku_[a-z0-9]{1,32}',
    maxlength: 36,
    placeholder: 'sku_thimble',
    autocomplete: 'off',
  });
  const price = h('input', {
    name: 'price',
    required: true,
    inputmode: 'decimal',
    autocomplete: 'off',
    value: item ? plainMoney(item.price) : '',
  });
  const form = h(
    'form.form',
    { method: 'dialog' },
    h(
      'header.dialog-top',
      {},
      h('h2', {}, item ? item.name : 'A new item'),
      h(
        'button.plain.close',
        { type: 'button', 'aria-label': 'Close', on: { click: () => dialog.close() } },
        icon('close'),
      ),
    ),
    alert,
    item === null && field('Number', id, 'Starts with sku_, then small letters and digits. It stays for ever.'),
    field('Name', h('input', { name: 'name', required: true, maxlength: 120, value: item ? item.name : '' })),
    field(
      'Description',
      h('textarea', {
        name: 'description',
        required: true,
        maxlength: 2000,
        rows: 4,
        value: item ? item.description : '',
      }),
    ),
    h(
      'div.two',
      {},
      field('Price in euro', price),
      field(
        'In stock',
        h('input', {
          name: 'stock',
          type: 'number',
          required: true,
          min: 0,
          max: 1000000,
          step: 1,
          value: item ? item.stock : 1,
        }),
      ),
    ),
    h(
      'p.actions',
      {},
      save,
      h('button.button.quiet', { type: 'button', on: { click: () => dialog.close() } }, 'Cancel'),
    ),
  );
  const dialog = h('dialog.dialog', { 'aria-label': item ? `Change ${item.name}` : 'A new item' }, form);

  let stored = null;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const entries = Object.fromEntries(new FormData(form));
    const minor = parseMoney(entries.price);
    if (minor === null || minor < 1) {
      price.setAttribute('aria-invalid', 'true');
      setAlert(alert, 'The price is an amount like 39 or 39.50.');
      return;
    }
    const wanted = { name: entries.name, description: entries.description, price: minor, stock: Number(entries.stock) };
    whileBusy(save, async () => {
      try {
        stored = item
          ? await call('PATCH', `/admin/items/${item.id}`, { body: changesOf(item, wanted) })
          : await call('POST', '/admin/items', { body: { id: entries.id, currency: 'EUR', ...wanted } });
        dialog.close();
      } catch (problem) {
        if (problem.status === undefined) throw problem;
        for (const fault of problem.errors)
          form.elements.namedItem(fieldOf(fault))?.setAttribute('aria-invalid', 'true');
        setAlert(alert, words(problem));
      }
    });
  });
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(stored);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Only what differs is sent: what another shopkeeper changes meanwhile stays. */
function changesOf(item, wanted) {
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => item[name] !== value));
}

async function setActive(item, active, button) {
  await whileBusy(button, async () => {
    try {
      await call('PATCH', `/admin/items/${item.id}`, { body: { active } });
      const row = button.closest('tr');
      row.replaceWith(itemRow(item, active));
      toast(active ? `${item.name} is for sale again.` : `${item.name} is off sale.`);
    } catch (problem) {
      toast(words(problem));
    }
  });
}

function itemRow(item, isActive = true) {
  const row = h(
    `tr${isActive ? '' : '.inactive'}`,
    { 'data-item': item.id },
    h(
      'th',
      { scope: 'row' },
      h(
        'span.cell-item',
        {},
        tile(item.id, 'tile-thumb'),
        h(
          'span',
          {},
          isActive ? h('a', { href: `#/item/${item.id}` }, item.name) : item.name,
          h('span.hint.mono', {}, item.id),
        ),
      ),
    ),
    h('td.number', {}, money(item.price, item.currency)),
    h(`td.number${item.stock <= 5 ? '.low' : ''}`, { 'data-label': 'Stock' }, String(item.stock)),
    h(
      'td.row-actions',
      {},
      h(
        'button.plain',
        {
          type: 'button',
          'aria-label': `Change ${item.name}`,
          on: {
            click: async () => {
              const stored = await itemDialog(item);
              if (stored) {
                row.replaceWith(itemRow(stored, isActive));
                toast(`${stored.name} is saved.`);
              }
            },
          },
        },
        'Change',
      ),
      h(
        'button.plain',
        {
          type: 'button',
          'aria-label': `${isActive ? 'Take off sale' : 'Sell again'}: ${item.name}`,
          on: { click: (event) => setActive(item, !isActive, event.currentTarget) },
        },
        isActive ? 'Take off sale' : 'Sell again',
      ),
    ),
  );
  return row;
}

export async function adminItemsPage(main, { signal }) {
  show(main, frame('#/admin', skeleton('rows', 6)));
  const load = (after) => call('GET', '/items', { query: { limit: 50, after }, signal });
  const page = await load();
  const body = h(
    'tbody',
    {},
    page.items.map((item) => itemRow(item)),
  );
  const create = h(
    'button.button',
    {
      type: 'button',
      on: {
        click: async () => {
          const stored = await itemDialog(null);
          if (stored) {
            body.prepend(itemRow(stored));
            toast(`${stored.name} is for sale.`, { href: `#/item/${stored.id}`, text: 'See it' });
          }
        },
      },
    },
    icon('plus'),
    'New item',
  );
  show(
    main,
    frame(
      '#/admin',
      h('p.admin-tools', {}, create),
      h(
        'div.table-box',
        {},
        h(
          'table',
          {},
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h('th', { scope: 'col' }, 'Item'),
              h('th.number', { scope: 'col' }, 'Price'),
              h('th.number', { scope: 'col' }, 'Stock'),
              h('th', { scope: 'col' }, h('span.hidden', {}, 'Actions')),
            ),
          ),
          body,
        ),
      ),
      pager(body, page.next, async (after) => {
        const more = await load(after);
        return { nodes: more.items.map((item) => itemRow(item)), next: more.next };
      }),
    ),
  );
  return 'Shopkeeping';
}

// ---- orders --------------------------------------------------------------------------------------------------------

function orderRow(order, signal) {
  const things = order.lines.reduce((sum, line) => sum + line.quantity, 0);
  return h(
    'tr',
    { 'data-order': order.id },
    h(
      'th',
      { scope: 'row' },
      h(
        'details.order-details',
        {},
        h('summary', {}, `No. ${shortId(order.id)}`, h('span.hint', {}, ` ${count(things, 'thing', 'things')}`)),
        h(
          'ul',
          {},
          order.lines.map((line) =>
            h('li', {}, `${line.quantity} × ${line.name}, ${money(line.unitPrice, order.currency)} each`),
          ),
        ),
        h('span.hint.mono', {}, order.id),
      ),
    ),
    h('td', {}, h('time', { datetime: order.placedAt }, dateTime(order.placedAt))),
    h('td', { 'data-cell': 'state' }, stateBadge(order)),
    h('td.number', {}, money(order.total, order.currency)),
    h('td.row-actions', {}, order.state === 'paid' && !order.refunding && refundButton(order, signal)),
  );
}

/** Asks once more before it gives money back; leaving the button takes the question away. */
function refundButton(order, signal) {
  const button = h('button.plain', { type: 'button', 'aria-label': `Refund order ${shortId(order.id)}` }, 'Refund');
  const key = crypto.randomUUID(); // one refund, however often it is asked for
  let isAsked = false;
  const ask = (asked) => {
    isAsked = asked;
    button.classList.toggle('danger', asked);
    button.textContent = asked ? `Give back ${money(order.total, order.currency)}?` : 'Refund';
    button.setAttribute('aria-label', `${asked ? button.textContent : 'Refund'} Order ${shortId(order.id)}`);
  };
  button.addEventListener('blur', () => !button.disabled && ask(false));
  button.addEventListener('keydown', (event) => event.key === 'Escape' && ask(false));
  button.addEventListener('click', () => {
    if (!isAsked) return ask(true);
    return whileBusy(button, async () => {
      try {
        const now = await call('POST', `/admin/orders/${order.id}/refund`, { key, signal });
        const row = replaceRow(now, signal);
        row.querySelector('summary').focus();
        toast(`${money(order.total, order.currency)} are on their way back.`);
        follow(`/admin/orders/${order.id}`, now, signal, (later) => replaceRow(later, signal));
      } catch (problem) {
        if (problem.name === 'AbortError') return;
        ask(false);
        toast(words(problem));
      }
    });
  });
  return button;
}

function replaceRow(order, signal) {
  const old = document.querySelector(`tr[data-order="${order.id}"]`);
  const row = orderRow(order, signal);
  row.querySelector('details').open = old.querySelector('details').open;
  old.replaceWith(row);
  return row;
}

export async function adminOrdersPage(main, { signal }) {
  show(main, frame('#/admin/orders', skeleton('rows', 6)));
  const load = (after) => call('GET', '/admin/orders', { query: { limit: 50, after }, signal });
  const page = await load();
  const rows = (orders) => orders.map((order) => orderRow(order, signal));
  const body = h('tbody', {}, rows(page.orders));
  show(
    main,
    frame(
      '#/admin/orders',
      page.orders.length === 0
        ? h('p.notice', {}, 'Nobody has ordered anything yet.')
        : h(
            'div.table-box',
            {},
            h(
              'table',
              {},
              h(
                'thead',
                {},
                h(
                  'tr',
                  {},
                  h('th', { scope: 'col' }, 'Order'),
                  h('th', { scope: 'col' }, 'Placed'),
                  h('th', { scope: 'col' }, 'State'),
                  h('th.number', { scope: 'col' }, 'Total'),
                  h('th', { scope: 'col' }, h('span.hidden', {}, 'Actions')),
                ),
              ),
              body,
            ),
          ),
      pager(body, page.next, async (after) => {
        const more = await load(after);
        return { nodes: rows(more.orders), next: more.next };
      }),
    ),
  );
  return 'All orders';
}
