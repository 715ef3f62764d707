// basket.js - the basket and the order. Prices are asked for now, shown, and asked for once more when the order is
// placed, so that nobody pays a price that they did not see; what is sent is ids and counts.

import { call, isOpen, Problem, words } from '../api.js';
import { tile } from '../art.js';
import { basket } from '../basket.js';
import { openCheckout, placeOrder } from '../checkout.js';
import { alertBox, h, icon, plate, setAlert, show, skeleton } from '../dom.js';
import { count, money } from '../format.js';
import { stepper, whileBusy } from '../parts.js';
import { session } from '../session.js';

// No card is typed in here: these are the names that a payment provider's own form would give, of cards that it has for tests.
const cards = [
  ['', 'Test card'],
  ['pm_sandbox_processing', 'Test card of a slow bank'],
  ['pm_card_chargeDeclined', 'Test card that is declined'],
];

/** The items of the basket as they are now: a map from id to item, or to null when it is no longer sold. */
async function itemsNow(signal) {
  const found = await Promise.all(
    basket.lines().map(async ({ itemId }) => {
      try {
        return [itemId, await call('GET', `/items/${itemId}`, { signal })];
      } catch (problem) {
        if (problem instanceof Problem && problem.status === 404) return [itemId, null];
        throw problem;
      }
    }),
  );
  return new Map(found);
}

function line({ itemId, quantity }, item, refresh) {
  const remove = h(
    'button.plain.remove',
    {
      type: 'button',
      'aria-label': `Remove ${item ? item.name : 'this'}`,
      on: {
        click: () => {
          basket.remove(itemId);
          refresh();
        },
      },
    },
    'Remove',
  );
  if (item === null) {
    return h(
      'li.line.line-gone',
      {},
      tile(itemId, 'tile-small'),
      h(
        'div.line-words',
        {},
        h('p.line-name', {}, 'No longer sold'),
        h('p.hint', {}, 'This has left the shop since you chose it.'),
        remove,
      ),
    );
  }
  const isShort = item.stock < quantity;
  return h(
    `li.line${isShort ? '.line-short' : ''}`,
    { 'data-item': itemId },
    h('a', { href: `#/item/${itemId}`, tabindex: '-1', 'aria-hidden': 'true' }, tile(itemId, 'tile-small')),
    h(
      'div.line-words',
      {},
      h('a.line-name', { href: `#/item/${itemId}` }, item.name),
      h('p.hint', {}, money(item.price, item.currency), ' each'),
      isShort &&
        h(
          'p.line-alert',
          {},
          item.stock === 0 ? 'Sold out meanwhile.' : `Only ${item.stock} left. `,
          item.stock > 0 &&
            h(
              'button.plain',
              {
                type: 'button',
                on: {
                  click: () => {
                    basket.set(itemId, item.stock);
                    refresh();
                  },
                },
              },
              `Take ${item.stock}`,
            ),
        ),
      remove,
    ),
    stepper({
      value: quantity,
      most: Math.min(Math.max(item.stock, quantity), 99),
      label: `How many of ${item.name}`,
      onChange: (next) => {
        basket.set(itemId, next);
        refresh();
      },
    }),
    h('p.line-total', {}, money(item.price * quantity, item.currency)),
  );
}

function changedPrices(before, after) {
  return basket.lines().flatMap(({ itemId }) => {
    const [was, is] = [before.get(itemId), after.get(itemId)];
    return was && is && was.price !== is.price
      ? [`${is.name} now costs ${money(is.price, is.currency)} (it was ${money(was.price, was.currency)}).`]
      : [];
  });
}

export async function basketPage(main, { signal }) {
  if (openCheckout()) return unanswered(main);
  if (basket.lines().length === 0) return empty(main);

  show(main, h('h1.page-title', { tabindex: '-1' }, 'Your basket'), skeleton('lines', basket.lines().length));
  let items = await itemsNow(signal);

  const list = h('ul.lines');
  const total = h('strong');
  const number = h('span');
  const alert = alertBox();
  const card = h(
    'select',
    { id: 'card' },
    cards.map(([value, text]) => h('option', { value }, text)),
  );
  let isBlocked = false;
  const order = session.isSignedIn
    ? h('button.button.wide', { type: 'button' }, 'Place order')
    : h(
        'a.button.wide',
        { href: '#/sign-in', on: { click: () => sessionStorage.setItem('lintel.return', '#/basket') } },
        'Sign in to order',
      );

  function refresh() {
    const lines = basket.lines();
    if (lines.length === 0) return empty(main);
    const sold = lines.filter(({ itemId }) => items.get(itemId));
    show(
      list,
      lines.map((one) => line(one, items.get(one.itemId) || null, refresh)),
    );
    const currency = sold.length > 0 ? items.get(sold[0].itemId).currency : 'EUR';
    total.textContent = money(
      sold.reduce((sum, { itemId, quantity }) => sum + items.get(itemId).price * quantity, 0),
      currency,
    );
    number.textContent = count(basket.count(), 'thing', 'things');
    isBlocked = lines.some(({ itemId, quantity }) => !items.get(itemId) || items.get(itemId).stock < quantity);
    if (session.isSignedIn) order.disabled = isBlocked || order.classList.contains('busy');
    setAlert(alert, isBlocked ? 'Something in your basket is no longer to be had like this.' : '');
    return '';
  }

  async function submit() {
    const now = await itemsNow(signal);
    const changes = changedPrices(items, now);
    items = now;
    refresh();
    if (isBlocked) return;
    if (changes.length > 0) {
      setAlert(alert, `${changes.join(' ')} Place the order again if that is all right.`);
      return;
    }
    const body = { lines: basket.lines() };
    if (card.value !== '') body.paymentMethod = card.value;
    const placed = await placeOrder(body, (text) => setAlert(alert, text));
    basket.clear();
    location.hash = `#/orders/${placed.id}`;
  }

  if (session.isSignedIn) {
    order.addEventListener('click', () =>
      whileBusy(order, async () => {
        try {
          await submit();
        } catch (problem) {
          if (problem.name === 'AbortError') return;
          if (problem.status === 401) {
            sessionStorage.setItem('lintel.return', '#/basket');
            location.hash = '#/sign-in';
            return;
          }
          if (isOpen(problem) && openCheckout()) {
            unanswered(main);
            return;
          }
          const text = words(problem);
          if (problem.status === 409 || problem.status === 404) {
            items = await itemsNow(signal).catch(() => items);
            refresh();
          }
          setAlert(alert, text);
        }
      }).finally(() => {
        order.disabled = isBlocked;
      }),
    );
  }

  refresh();
  show(
    main,
    h('h1.page-title', { tabindex: '-1' }, 'Your basket'),
    h(
      'div.basket',
      {},
      list,
      h(
        'aside.sum',
        { 'aria-label': 'Sum' },
        h(
          'dl',
          {},
          h('div', {}, h('dt', {}, 'In the basket'), h('dd', {}, number)),
          h('div', {}, h('dt', {}, 'Delivery'), h('dd', {}, 'included')),
          h('div.sum-total', {}, h('dt', {}, 'Total'), h('dd', {}, total)),
        ),
        h('div.field.sum-card', {}, h('label', { for: 'card' }, 'Pay with'), card),
        alert,
        order,
        h('p.hint', {}, 'You can press twice without fear: an order is placed once.'),
      ),
    ),
  );
  return 'Basket';
}

function empty(main) {
  show(
    main,
    plate({
      art: 'basket',
      title: 'Your basket is empty',
      text: 'It holds a good deal: fifty different things.',
      actions: [h('a.button', { href: '#/' }, 'To the shop')],
    }),
  );
  return 'Basket';
}

/** An order was sent and no answer came. The same key finds out, and cannot order twice. */
function unanswered(main) {
  const alert = alertBox();
  const ask = h('button.button', { type: 'button' }, 'Ask again');
  ask.addEventListener('click', () =>
    whileBusy(ask, async () => {
      try {
        const open = openCheckout();
        const placed = await placeOrder(open.body, (text) => setAlert(alert, text));
        basket.clear();
        location.hash = `#/orders/${placed.id}`;
      } catch (problem) {
        if (problem.status === 401) {
          sessionStorage.setItem('lintel.return', '#/basket');
          location.hash = '#/sign-in';
        } else if (openCheckout()) {
          setAlert(alert, words(problem));
        } else {
          dispatchEvent(new HashChangeEvent('hashchange')); // it was refused: the basket is open again
        }
      }
    }),
  );
  const box = plate({
    art: 'bell',
    title: 'We did not hear back',
    role: 'alert',
    text: 'Your order was sent, but no answer came. Ask again: it is placed once, however often you ask.',
    actions: [ask, h('a.button.quiet', { href: '#/orders' }, 'My orders')],
  });
  box.append(alert, h('p.hint.plate-hint', {}, icon('check'), 'Nothing has been lost. The basket is still here.'));
  show(main, box);
  return 'Basket';
}
