// checkout.js - places an order exactly once. The key is made before the first attempt and kept until there is an
// answer, also across a reload, so that every retry carries the same key and the server can tell that it is the same.

import { call, isOpen } from './api.js';
import { session } from './session.js';

const KEY = 'lintel.checkout';
const PAUSES_MS = [600, 1800, 4000];

/** The order of this account that was sent and not answered: { key, account, body }, or null. */
export function openCheckout() {
  try {
    const open = JSON.parse(localStorage.getItem(KEY) || 'null');
    return open && session.isSignedIn && open.account === session.principal.id ? open : null;
  } catch {
    return null;
  }
}

const pause = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

// Refusals that are made before the server has looked at the key: they say nothing about an earlier attempt.
const early = [400, 401, 403, 413, 415, 429];

/** The placed order; throws the Problem when it was refused, or when there is still no answer after some tries. */
export async function placeOrder(body, say) {
  const before = openCheckout();
  const open = before || { key: crypto.randomUUID(), account: session.principal.id, body };
  let isUnanswered = before !== null;
  localStorage.setItem(KEY, JSON.stringify(open));
  for (let attempt = 0; ; attempt++) {
    try {
      const order = await call('POST', '/checkout', { key: open.key, body: open.body });
      localStorage.removeItem(KEY);
      return order;
    } catch (problem) {
      if (!isOpen(problem)) {
        if (!isUnanswered || !early.includes(problem.status)) localStorage.removeItem(KEY);
        throw problem;
      }
      isUnanswered = true;
      if (attempt >= PAUSES_MS.length) throw problem;
      say('The shop did not answer. Asking again; the order is placed only once.');
      await pause(PAUSES_MS[attempt]);
    }
  }
}
