// item.js - one item, large.

import { call } from '../api.js';
import { tile } from '../art.js';
import { h, icon, show, skeleton } from '../dom.js';
import { money } from '../format.js';
import { addToBasket, card, stepper, stockWords } from '../parts.js';

const NEIGHBOURS = 4;

/** What stands beside it on the shelf: the next ones by id, from the start again at the end. */
async function neighbours(item, signal) {
  const after = (await call('GET', '/items', { query: { limit: NEIGHBOURS, after: item.id }, signal })).items;
  if (after.length === NEIGHBOURS) return after;
  const first = (await call('GET', '/items', { query: { limit: NEIGHBOURS }, signal })).items;
  const known = new Set([item.id, ...after.map((other) => other.id)]);
  return [...after, ...first.filter((other) => !known.has(other.id))].slice(0, NEIGHBOURS);
}

function buyForm(item) {
  const quantity = stepper({ value: 1, most: Math.min(item.stock, 99), label: 'How many' });
  return h(
    'form.buy',
    {
      on: {
        submit: (event) => {
          event.preventDefault();
          addToBasket(item, quantity.quantity());
        },
      },
    },
    quantity,
    h('button.button', { type: 'submit' }, 'Add to basket'),
  );
}

export async function itemPage(main, { argument: itemId, signal }) {
  show(main, skeleton('item', 2));
  const item = await call('GET', `/items/${itemId}`, { signal });
  const shelf = h('section.shelf', { hidden: true });
  show(
    main,
    h(
      'article.item',
      {},
      tile(item.id, 'tile-large'),
      h(
        'div.item-words',
        {},
        h('a.back', { href: '#/' }, icon('back'), 'Everything'),
        h('h1', { tabindex: '-1' }, item.name),
        h('p.item-price', {}, money(item.price, item.currency)),
        h('p.item-text', {}, item.description),
        h(`p.stock${item.stock === 0 ? '.stock-none' : item.stock <= 5 ? '.stock-few' : ''}`, {}, stockWords(item)),
        item.stock > 0 && buyForm(item),
        h(
          'dl.facts',
          {},
          h('div', {}, h('dt', {}, 'Number'), h('dd.mono', {}, item.id)),
          h('div', {}, h('dt', {}, 'Price'), h('dd', {}, 'With tax; delivery is included')),
        ),
      ),
    ),
    shelf,
  );

  neighbours(item, signal).then(
    (others) => {
      if (signal.aborted || others.length === 0) return;
      show(shelf, h('h2.shelf-title', {}, 'On the same shelf'), h('div.cards', {}, others.map(card)));
      shelf.hidden = false;
    },
    () => {
      /* the item stands without its neighbours */
    },
  );
  return item.name;
}
