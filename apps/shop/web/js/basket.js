// basket.js - what the visitor wants: ids and counts, and nothing else. Names and prices are asked for when shown.

const KEY = 'lintel.basket';
const MOST_LINES = 50;
const MOST_OF_ONE = 99;

function read() {
  try {
    const lines = JSON.parse(localStorage.getItem(KEY) || '[]');
    if (!Array.isArray(lines)) return [];
    return lines
      .filter((line) => line && /^sku_[a-z0-9]{1,32}$/.test(line.itemId) && Number.isInteger(line.quantity))
      .map(({ itemId, quantity }) => ({ itemId, quantity: Math.min(Math.max(quantity, 1), MOST_OF_ONE) }))
      .slice(0, MOST_LINES);
  } catch {
    return [];
  }
}

function write(lines) {
  localStorage.setItem(KEY, JSON.stringify(lines));
  document.dispatchEvent(new CustomEvent('basket'));
}

export const basket = {
  lines: read,
  count: () => read().reduce((sum, line) => sum + line.quantity, 0),
  quantityOf: (itemId) => read().find((line) => line.itemId === itemId)?.quantity || 0,

  /** False when the basket is full. */
  add(itemId, quantity) {
    const lines = read();
    const line = lines.find((other) => other.itemId === itemId);
    if (line) line.quantity = Math.min(line.quantity + quantity, MOST_OF_ONE);
    else if (lines.length >= MOST_LINES) return false;
    else lines.push({ itemId, quantity });
    write(lines);
    return true;
  },
  set(itemId, quantity) {
    write(read().map((line) => (line.itemId === itemId ? { itemId, quantity } : line)));
  },
  remove(itemId) {
    write(read().filter((line) => line.itemId !== itemId));
  },
  clear() {
    write([]);
  },
};

// Another tab has changed it.
addEventListener('storage', (event) => {
  if (event.key === KEY || event.key === null) document.dispatchEvent(new CustomEvent('basket'));
});
