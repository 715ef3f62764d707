// app.js - the frame: header, router, focus. Every page is a module with one function that fills <main>.

import { words } from './js/api.js';
import { basket } from './js/basket.js';
import { h, icon, plate, show } from './js/dom.js';
import { session } from './js/session.js';
import { signInPage, signUpPage } from './js/pages/account.js';
import { adminItemsPage, adminOrdersPage } from './js/pages/admin.js';
import { basketPage } from './js/pages/basket.js';
import { catalogPage } from './js/pages/catalog.js';
import { itemPage } from './js/pages/item.js';
import { orderPage, ordersPage } from './js/pages/orders.js';

const main = document.getElementById('main');
const links = document.getElementById('links');
const searchForm = document.getElementById('search');

const routes = [
  [/^\/?$/, catalogPage],
  [/^\/search\/(.{1,240})$/, catalogPage],
  [/^\/item\/(sku_[a-z0-9]{1,32})$/, itemPage],
  [/^\/basket$/, basketPage],
  [/^\/sign-in$/, signInPage],
  [/^\/sign-up$/, signUpPage],
  [/^\/orders$/, ordersPage, 'customer'],
  [/^\/orders\/(ord_[0-9A-Za-z]{20,40})$/, orderPage, 'customer'],
  [/^\/admin$/, adminItemsPage, 'admin'],
  [/^\/admin\/orders$/, adminOrdersPage, 'admin'],
];

// ---- header ---------------------------------------------------------------------------------------------------------

function navLink(href, name, text, extra) {
  const isHere = (location.hash || '#/').replace(/\/$/, '') === href;
  return h(
    'a.link',
    { href, 'aria-current': isHere ? 'page' : undefined },
    icon(name),
    h('span.link-text', {}, text),
    extra,
  );
}

function renderHeader() {
  const number = basket.count();
  show(
    links,
    session.has('admin') && navLink('#/admin', 'key', 'Shopkeeping'),
    session.isSignedIn && navLink('#/orders', 'receipt', 'Orders'),
    session.isSignedIn ? accountMenu() : navLink('#/sign-in', 'person', 'Sign in'),
    navLink(
      '#/basket',
      'basket',
      'Basket',
      h('span.badge', { 'data-count': number, 'aria-label': `${number} in the basket` }, String(number)),
    ),
  );
}

function accountMenu() {
  const menu = h(
    'details.menu',
    { on: { keydown: (event) => event.key === 'Escape' && (menu.open = false) } },
    h('summary.link', {}, icon('person'), h('span.link-text', {}, session.principal.name.split(/\s/)[0])),
    h(
      'div.menu-body',
      {},
      h('p.menu-who', {}, h('strong', {}, session.principal.name), h('span', {}, session.principal.email)),
      h('button.plain', { type: 'button', on: { click: signOut } }, 'Sign out'),
    ),
  );
  return menu;
}

async function signOut() {
  try {
    await session.signOut();
  } catch (problem) {
    if (problem.status !== 401) return show(main, failure(problem));
  }
  if (location.hash === '#/') return route();
  location.hash = '#/';
}

document.addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener('basket', renderHeader);
document.addEventListener('session', renderHeader);

searchForm.addEventListener('submit', (event) => {
  event.preventDefault();
  const text = searchForm.elements.q.value.trim();
  location.hash = text === '' ? '#/' : `#/search/${encodeURIComponent(text)}`;
  searchForm.elements.q.blur();
});

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});

// ---- router ---------------------------------------------------------------------------------------------------------

let leave = new AbortController();
let isFirst = true;

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function route() {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const path = (location.hash || '#/').slice(1);
  renderHeader();

  const found = routes
    .map(([pattern, page, role]) => ({ match: pattern.exec(path), page, role }))
    .find(({ match }) => match);
  searchForm.elements.q.value = found && found.page === catalogPage ? decode(found.match[1] || '') : '';
  scrollTo(0, 0);
  document.getElementById('toasts').replaceChildren();
  if (!found) {
    document.title = 'Not here · Lintel';
    show(
      main,
      plate({
        art: 'broom',
        title: 'There is nothing here',
        text: 'The page has been swept away, or was never there.',
        actions: [h('a.button', { href: '#/' }, 'To the shop')],
      }),
    );
    return settle();
  }
  if (found.role && !session.isSignedIn) {
    sessionStorage.setItem('lintel.return', location.hash);
    location.replace('#/sign-in');
    return;
  }
  if (found.role && !session.has(found.role)) {
    document.title = 'Not for this account · Lintel';
    show(
      main,
      plate({
        art: 'hooks',
        title: 'This door is for the shopkeeper',
        text: 'Your account may not go in here.',
        actions: [h('a.button', { href: '#/' }, 'To the shop')],
      }),
    );
    return settle();
  }
  try {
    const title = await found.page(main, { argument: found.match[1] ? decode(found.match[1]) : '', signal, settle });
    if (signal.aborted) return;
    document.title = title ? `${title} · Lintel` : 'Lintel: things for the house';
    settle();
  } catch (problem) {
    if (signal.aborted || problem.name === 'AbortError') return;
    if (problem.status === 401) {
      sessionStorage.setItem('lintel.return', location.hash);
      location.replace('#/sign-in');
      return;
    }
    document.title = 'A problem · Lintel';
    show(main, failure(problem));
    settle();
    if (problem.status === undefined) throw problem; // our own mistake: let it be seen
  }
}

/** After a page has changed, the reader starts at its heading. */
function settle() {
  if (!isFirst) main.querySelector('h1')?.focus({ preventScroll: true });
  isFirst = false;
}

function failure(problem) {
  const isMissing = problem.status === 404;
  return plate({
    art: isMissing ? 'mirror' : 'umbrella',
    role: 'alert',
    title: isMissing ? 'We looked, and it is not there' : 'That did not work',
    text: words(problem),
    actions: [
      isMissing ? null : h('button.button', { type: 'button', on: { click: route } }, 'Try again'),
      h('a.button.quiet', { href: '#/' }, 'To the shop'),
    ].filter(Boolean),
  });
}

addEventListener('hashchange', route);

try {
  await session.load();
} catch {
  // The server does not answer: the page itself will say so.
}
route();
