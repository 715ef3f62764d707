// dom.js - builds elements. Text always goes in as text, so nothing that the server says can become markup.

/** h('a.button', { href: '#/', on: { click } }, 'text', child, …): null and false children are left out. */
export function h(selector, attributes = {}, ...children) {
  const [tag, ...classes] = selector.split('.');
  const element = document.createElement(tag || 'div');
  if (classes.length > 0) element.className = classes.join(' ');
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') {
      for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    } else if (name === 'value') {
      element.value = value;
    } else {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

export function icon(name) {
  return h(`span.icon.icon-${name}`, { 'aria-hidden': 'true' });
}

export function show(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

/** A short message at the foot of the page, read out by screen readers. */
export function toast(text, link) {
  const place = document.getElementById('toasts');
  const message = h('div.toast', {}, h('span', {}, text), link && h('a', { href: link.href }, link.text));
  place.replaceChildren(message);
  setTimeout(() => message.classList.add('leaving'), 4200);
  setTimeout(() => message.remove(), 4600);
}

/** Grey shapes in the place of what is coming; they appear only when it takes a moment. */
export function skeleton(kind, count = 1) {
  return h(
    `div.skeletons.skeletons-${kind}`,
    { 'aria-hidden': 'true' },
    Array.from({ length: count }, () => h('div.skeleton')),
  );
}

/** What is said when there is nothing to show, or when something went wrong. */
export function plate({ art, title, text, actions = [], role }) {
  return h(
    'section.plate',
    { role },
    art && h('img.plate-art', { src: `art/${art}.svg`, alt: '', width: 160, height: 160 }),
    h('h1', { tabindex: '-1' }, title),
    text && h('p', {}, text),
    actions.length > 0 && h('p.actions', {}, actions),
  );
}

/** The line at the top of a form that says what is wrong. */
export function alertBox() {
  return h('p.alert', { role: 'alert', hidden: true });
}

export function setAlert(box, text) {
  box.hidden = !text;
  show(box, text ? [icon('warning'), h('span', {}, text)] : []);
}
