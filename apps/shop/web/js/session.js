// session.js - who is signed in. The session itself is a cookie that no script can read; what is kept here is only a
// hint that there may be one, so that the server is not asked about a visitor who never signed in.

import { call } from './api.js';

const HINT = 'lintel.signed-in';

export const session = {
  principal: null,

  get isSignedIn() {
    return this.principal !== null;
  },
  has(role) {
    return this.principal !== null && this.principal.roles.includes(role);
  },

  /** Asks the server, when there is reason to think that somebody is signed in. */
  async load() {
    if (localStorage.getItem(HINT) === null) return;
    try {
      this.set(await call('GET', '/me'));
    } catch (problem) {
      if (problem.status !== 401) throw problem;
    }
  },
  async signIn(email, password) {
    this.set(await call('POST', '/sessions', { body: { email, password } }));
  },
  async signUp(name, email, password) {
    this.set(await call('POST', '/accounts', { body: { email, password, name } }));
  },
  async signOut() {
    await call('DELETE', '/sessions/current');
    this.set(null);
  },
  set(principal) {
    this.principal = principal;
    if (principal) localStorage.setItem(HINT, '1');
    else localStorage.removeItem(HINT);
    document.dispatchEvent(new CustomEvent('session'));
  },
};

document.addEventListener('signed-out', () => {
  if (session.isSignedIn || localStorage.getItem(HINT) !== null) session.set(null);
});
