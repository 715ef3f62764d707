// orders.js - what the visitor has ordered, as a list and one by one.

import { call } from '../api.js';
import { tile } from '../art.js';
import { basket } from '../basket.js';
import { h, icon, plate, show, skeleton } from '../dom.js';
import { count, date, dateTime, money, shortId, stateWords } from '../format.js';
import { pager } from '../parts.js';

const THUMBS = 4;

export function stateBadge(order) {
  const isRefunding = order.refunding === true;
  return h(
    `span.state.state-${isRefunding ? 'paying' : order.state}`,
    { 'data-state': order.state },
    isRefunding ? 'Refund under way' : stateWords[order.state] || order.state,
  );
}

// ---- following an order to its end -------------------------------------------------------------------------------------

const isUnderWay = (order) => order.state === 'placed' || order.state === 'paying' || order.refunding === true;

// Quick at first, because most payments take no longer; then ever slower.
const PAUSES_MS = [150, 200, 250, 300, 400, 600, 1000, 1500, 2500, 5000];

const pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('left', 'AbortError'));
    });
  });

/** Asks until nothing is under way any more; `onChange` hears of each new state. Ends quietly when the page is left. */
export async function follow(path, order, signal, onChange) {
  try {
    for (let turn = 0; isUnderWay(order); turn++) {
      await pause(PAUSES_MS[Math.min(turn, PAUSES_MS.length - 1)], signal);
      const now = await call('GET', path, { signal }).catch((problem) => {
        if (problem.name === 'AbortError' || problem.status === 401 || problem.status === 404) throw problem;
        return order; // the shop is busy, or away for a moment
      });
      if (now.state !== order.state || now.refunding !== order.refunding) onChange(now);
      order = now;
    }
  } catch (problem) {
    if (problem.name !== 'AbortError' && !problem.status) throw problem;
  }
}

function row(order) {
  const things = order.lines.reduce((sum, line) => sum + line.quantity, 0);
  return h(
    'li',
    {},
    h(
      'a.order-row',
      { href: `#/orders/${order.id}`, 'data-order': order.id },
      h(
        'span.thumbs',
        {},
        order.lines.slice(0, THUMBS).map((line) => tile(line.itemId, 'tile-thumb')),
        order.lines.length > THUMBS && h('span.thumbs-more', {}, `+${order.lines.length - THUMBS}`),
      ),
      h(
        'span.order-what',
        {},
        h('strong', {}, date(order.placedAt)),
        h('span.hint', {}, `No. ${shortId(order.id)}, ${count(things, 'thing', 'things')}`),
      ),
      stateBadge(order),
      h('span.order-total', {}, money(order.total, order.currency)),
    ),
  );
}

export async function ordersPage(main, { signal }) {
  const title = h('h1.page-title', { tabindex: '-1' }, 'Your orders');
  show(main, title, skeleton('rows', 4));
  const load = (after) => call('GET', '/orders', { query: { limit: 20, after }, signal });
  const page = await load();
  if (page.orders.length === 0) {
    show(
      main,
      plate({
        art: 'notebook',
        title: 'No orders yet',
        text: 'They will be written down here, newest first.',
        actions: [h('a.button', { href: '#/' }, 'To the shop')],
      }),
    );
    return 'Your orders';
  }
  const list = h('ul.order-list', {}, page.orders.map(row));
  show(
    main,
    title,
    list,
    pager(list, page.next, async (after) => {
      const more = await load(after);
      return { nodes: more.orders.map(row), next: more.next };
    }),
  );
  return 'Your orders';
}

function headline(order, isFresh) {
  if (order.state === 'payment_failed') return 'The payment did not go through.';
  return isFresh ? 'Thank you. It is ordered.' : `Order no. ${shortId(order.id)}`;
}

/** What has become of the money, in a sentence, and what can be done about it. */
function paymentWords(order) {
  if (order.refunding) return h('p', {}, 'Your money is on its way back to you.');
  switch (order.state) {
    case 'placed':
      return h('p.waiting', {}, 'We are asking your bank. This page will tell.');
    case 'paying':
      return h('p.waiting', {}, 'Your bank takes a moment. This page will tell; you may also leave it.');
    case 'paid':
      return h('p', {}, icon('check'), 'It is paid.');
    case 'payment_failed':
      return [
        h('p', {}, icon('warning'), 'Your bank declined. Nothing was charged, and the things are back on their shelves.'),
        h('p', {}, h('button.button', { type: 'button', on: { click: () => orderAgain(order) } }, 'Put them in the basket')),
      ];
    case 'refunded':
      return h('p', {}, 'You have your money back. Your bank may take a few days to show it.');
    default:
      return [];
  }
}

function orderAgain(order) {
  for (const { itemId, quantity } of order.lines) {
    if (basket.quantityOf(itemId) === 0) basket.add(itemId, Math.min(quantity, 99));
  }
  location.hash = '#/basket';
}

export async function orderPage(main, { argument: orderId, signal }) {
  show(main, skeleton('rows', 3));
  const order = await call('GET', `/orders/${orderId}`, { signal });
  const isFresh = Date.now() - Date.parse(order.placedAt) < 60_000;
  const title = h('h1', { tabindex: '-1' });
  const badge = h('span', {});
  const payment = h('div.payment', { role: 'status' });
  const render = (now) => {
    title.textContent = headline(now, isFresh);
    show(badge, stateBadge(now));
    show(payment, paymentWords(now));
    payment.dataset.state = now.state;
  };
  render(order);
  show(
    main,
    h(
      'article.receipt',
      {},
      h(
        'header',
        {},
        h('a.back', { href: '#/orders' }, icon('back'), 'Your orders'),
        title,
        h('p.receipt-meta', {}, h('time', { datetime: order.placedAt }, dateTime(order.placedAt)), badge),
        payment,
      ),
      h(
        'ul.receipt-lines',
        {},
        order.lines.map((line) =>
          h(
            'li',
            {},
            tile(line.itemId, 'tile-thumb'),
            h(
              'span.receipt-name',
              {},
              line.name,
              h('span.hint', {}, `${line.quantity} × ${money(line.unitPrice, order.currency)}`),
            ),
            h('span.receipt-money', {}, money(line.lineTotal, order.currency)),
          ),
        ),
      ),
      h(
        'p.receipt-total',
        {},
        h('span', {}, 'Total'),
        h('strong', { id: 'order-total' }, money(order.total, order.currency)),
      ),
      h(
        'footer',
        {},
        h('p.hint', {}, 'Names and prices are those of the moment of the order.'),
        h('p.hint.mono', {}, order.id),
      ),
    ),
  );
  follow(`/orders/${order.id}`, order, signal, render);
  return `Order ${shortId(order.id)}`;
}
