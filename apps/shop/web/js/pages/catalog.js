// catalog.js - the shop's front, and what a search has found.

import { call } from '../api.js';
import { h, icon, plate, show, skeleton } from '../dom.js';
import { card, pager } from '../parts.js';

const hints = ['oak', 'clay', 'steel', 'porcelain', 'beech'];

function front() {
  return h(
    'section.hero',
    {},
    h(
      'div.hero-words',
      {},
      h('h1', { tabindex: '-1' }, 'Good things,', h('br'), h('em', {}, 'just inside the door.')),
      h('p', {}, 'Plain objects for the house, each from somebody who makes one thing well.'),
      h(
        'ul.hints',
        { 'aria-label': 'Made of' },
        hints.map((hint) => h('li', {}, h('a', { href: `#/search/${hint}` }, hint))),
      ),
    ),
    h(
      'div.hero-art',
      { 'aria-hidden': 'true' },
      ['mirror', 'basket', 'stool', 'vase'].map((name) =>
        h('img', { src: `art/${name}.svg`, alt: '', width: 200, height: 200, class: `hero-${name}` }),
      ),
      h('div.hero-floor'),
    ),
  );
}

function heading(query) {
  return h(
    'header.found',
    {},
    h('a.back', { href: '#/' }, icon('back'), 'Everything'),
    h('h1', { tabindex: '-1' }, '“', query, '”'),
  );
}

function nothing(query) {
  return plate({
    art: 'basket',
    title: `Nothing for “${query}”`,
    text: 'Try a material, or a room: oak, clay, steel, something for the hall.',
    actions: [h('a.button', { href: '#/' }, 'Show everything')],
  });
}

export async function catalogPage(main, { argument: query, signal }) {
  const top = query === '' ? front() : heading(query);
  show(main, top, skeleton('cards', 8));

  const load = (after) => call('GET', '/items', { query: { q: query, limit: 24, after }, signal });
  const page = await load();
  if (page.items.length === 0) {
    show(
      main,
      query === ''
        ? plate({ art: 'broom', title: 'The shelves are empty', text: 'New things are on their way.' })
        : nothing(query),
    );
    return query === '' ? '' : 'Nothing found';
  }
  const list = h('div.cards', {}, page.items.map(card));
  show(
    main,
    top,
    h(
      'section',
      { 'aria-label': query === '' ? 'All items' : 'Found items' },
      list,
      pager(list, page.next, async (after) => {
        const more = await load(after);
        return { nodes: more.items.map(card), next: more.next };
      }),
    ),
  );
  return query;
}
