// orders.js - what the visitor has ordered, as a list and one by one.

import { call } from '../api.js';
import { tile } from '../art.js';
import { h, icon, plate, show, skeleton } from '../dom.js';
import { count, date, dateTime, money, shortId, stateWords } from '../format.js';
import { pager } from '../parts.js';

const THUMBS = 4;

export function stateBadge(order) {
  return h(`span.state.state-${order.state}`, {}, stateWords[order.state] || order.state);
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

export async function orderPage(main, { argument: orderId, signal }) {
  show(main, skeleton('rows', 3));
  const order = await call('GET', `/orders/${orderId}`, { signal });
  const isFresh = Date.now() - Date.parse(order.placedAt) < 60_000;
  show(
    main,
    h(
      'article.receipt',
      {},
      h(
        'header',
        {},
        h('a.back', { href: '#/orders' }, icon('back'), 'Your orders'),
        h('h1', { tabindex: '-1' }, isFresh ? 'Thank you. It is ordered.' : `Order no. ${shortId(order.id)}`),
        h('p.receipt-meta', {}, h('time', { datetime: order.placedAt }, dateTime(order.placedAt)), stateBadge(order)),
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
  return `Order ${shortId(order.id)}`;
}
