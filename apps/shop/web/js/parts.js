// parts.js - what several pages show: an item's card, its price, its stock, and the stepper.

import { tile } from './art.js';
import { basket } from './basket.js';
import { h, icon, toast } from './dom.js';
import { money } from './format.js';

const FEW = 5;

export function stockWords(item) {
  if (item.stock === 0) return 'Sold out';
  if (item.stock <= FEW) return `Only ${item.stock} left`;
  return 'In stock';
}

export function addToBasket(item, quantity) {
  if (basket.quantityOf(item.id) + quantity > item.stock) {
    toast(`There ${item.stock === 1 ? 'is' : 'are'} only ${item.stock} of this in stock.`, {
      href: '#/basket',
      text: 'See basket',
    });
    return;
  }
  if (!basket.add(item.id, quantity)) {
    toast('The basket is full: fifty different things are the most.');
    return;
  }
  toast(`${item.name} is in your basket.`, { href: '#/basket', text: 'See basket' });
}

export function card(item) {
  const isGone = item.stock === 0;
  return h(
    `article.card${isGone ? '.gone' : ''}`,
    { 'data-item': item.id },
    h(
      'a.card-link',
      { href: `#/item/${item.id}` },
      tile(item.id),
      h('h2.card-name', {}, item.name),
      h('p.card-price', {}, money(item.price, item.currency)),
      item.stock <= FEW && h('p.card-stock', {}, stockWords(item)),
    ),
    !isGone &&
      h(
        'button.card-add',
        {
          type: 'button',
          'aria-label': `Add ${item.name} to the basket`,
          title: 'Add to the basket',
          on: { click: () => addToBasket(item, 1) },
        },
        icon('plus'),
      ),
  );
}

/** A number between 1 and `most`, with buttons; `onChange` hears of every new value. */
export function stepper({ value, most, label, onChange }) {
  const input = h('input', {
    type: 'number',
    min: 1,
    max: most,
    step: 1,
    inputmode: 'numeric',
    'aria-label': label,
    value,
  });
  const less = h(
    'button',
    { type: 'button', 'aria-label': 'One less', on: { click: () => set(Number(input.value) - 1) } },
    icon('minus'),
  );
  const more = h(
    'button',
    { type: 'button', 'aria-label': 'One more', on: { click: () => set(Number(input.value) + 1) } },
    icon('plus'),
  );
  function set(wanted) {
    const next = Math.min(Math.max(Number.isInteger(wanted) ? wanted : 1, 1), Math.max(most, 1));
    input.value = next;
    less.disabled = next <= 1;
    more.disabled = next >= most;
    if (onChange && next !== value) onChange(next);
    value = next;
  }
  input.addEventListener('change', () => set(Number(input.value)));
  less.disabled = value <= 1;
  more.disabled = value >= most;
  const box = h('div.stepper', { role: 'group', 'aria-label': label }, less, input, more);
  box.quantity = () => value;
  return box;
}

/** A button that is busy while its work runs. */
export async function whileBusy(button, work) {
  button.disabled = true;
  button.classList.add('busy');
  try {
    return await work();
  } finally {
    button.disabled = false;
    button.classList.remove('busy');
  }
}

/** "Show more": appends page after page. `load(after)` gives { nodes, next }. */
export function pager(list, next, load) {
  const button = h('button.button.quiet', { type: 'button' }, 'Show more');
  const box = h('p.more', { hidden: next === null }, button);
  button.addEventListener('click', () =>
    whileBusy(button, async () => {
      try {
        const page = await load(next);
        list.append(...page.nodes);
        page.nodes[0]?.querySelector('a')?.focus();
        next = page.next;
        box.hidden = next === null;
      } catch (problem) {
        if (problem.name !== 'AbortError') toast('That did not load. Please try again.');
      }
    }),
  );
  return box;
}
