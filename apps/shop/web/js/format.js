// format.js - numbers and times as a reader expects them. Money is an integer of minor units until this very place.

const formats = new Map();

export function money(minor, currency) {
  if (!formats.has(currency)) formats.set(currency, new Intl.NumberFormat(undefined, { style: 'currency', currency }));
  const format = formats.get(currency);
  return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
}

/** "39", "39.5" or "39,50" as minor units; null when it is no such amount. */
export function parseMoney(text) {
  const match = /^\s*(\d{1,7})(?:[.,](\d{1,2}))?\s*$/.exec(text);
  if (!match) return null;
  return Number(match[1]) * 100 + Number((match[2] || '').padEnd(2, '0'));
}

export function plainMoney(minor) {
  return `${Math.trunc(minor / 100)}.${String(minor % 100).padStart(2, '0')}`;
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'long' });
const minute = new Intl.DateTimeFormat(undefined, { dateStyle: 'long', timeStyle: 'short' });

export const date = (text) => day.format(new Date(text));
export const dateTime = (text) => minute.format(new Date(text));

export function count(number, one, many) {
  return `${number} ${number === 1 ? one : many}`;
}

/** The end of an order's id: enough to tell two apart. */
export const shortId = (id) => id.slice(-6).toUpperCase();

export const stateWords = {
  placed: 'Placed',
  paying: 'Being paid',
  paid: 'Paid',
  payment_failed: 'Payment failed',
  refunded: 'Refunded',
};
