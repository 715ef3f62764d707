// account.js - sign in and sign up.

import { fieldOf, words } from '../api.js';
import { alertBox, h, setAlert, show } from '../dom.js';
import { whileBusy } from '../parts.js';
import { session } from '../session.js';

function field(label, attributes, hint) {
  const id = `field-${attributes.name}`;
  return h(
    'p.field',
    {},
    h('label', { for: id }, label),
    h('input', { id, required: true, 'aria-describedby': hint ? `${id}-hint` : undefined, ...attributes }),
    hint && h('span.hint', { id: `${id}-hint` }, hint),
  );
}

function goOn() {
  const target = sessionStorage.getItem('lintel.return') || '#/';
  sessionStorage.removeItem('lintel.return');
  location.hash = target;
}

function form({ fields, button, work, sayRefusal }) {
  const alert = alertBox();
  const submit = h('button.button.wide', { type: 'submit' }, button);
  const element = h('form.form', {}, alert, fields, submit);
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    setAlert(alert, '');
    for (const input of element.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
    whileBusy(submit, async () => {
      try {
        await work(Object.fromEntries(new FormData(element)));
        goOn();
      } catch (problem) {
        if (problem.status === undefined) throw problem;
        for (const fault of problem.errors)
          element.elements.namedItem(fieldOf(fault))?.setAttribute('aria-invalid', 'true');
        setAlert(alert, sayRefusal(problem) || words(problem));
      }
    });
  });
  return element;
}

function door(main, title, text, body, other) {
  show(
    main,
    h(
      'section.door',
      {},
      h('div.door-words', {}, h('h1', { tabindex: '-1' }, title), h('p', {}, text)),
      h('div.door-form', {}, body, h('p.other', {}, other)),
    ),
  );
}

export async function signInPage(main) {
  if (session.isSignedIn) {
    goOn();
    return 'Sign in';
  }
  door(
    main,
    'Come in',
    'Sign in to order, and to see what you have ordered before.',
    form({
      fields: [
        field('Email', { name: 'email', type: 'email', autocomplete: 'username', maxlength: 254 }),
        field('Password', { name: 'password', type: 'password', autocomplete: 'current-password', maxlength: 128 }),
      ],
      button: 'Sign in',
      work: ({ email, password }) => session.signIn(email, password),
      sayRefusal: (problem) => (problem.status === 401 ? 'This email and this password do not belong together.' : ''),
    }),
    ['New here? ', h('a', { href: '#/sign-up' }, 'Make an account')],
  );
  return 'Sign in';
}

export async function signUpPage(main) {
  if (session.isSignedIn) {
    goOn();
    return 'Sign up';
  }
  door(
    main,
    'A key of your own',
    'An account keeps your orders together. A name, an email and a long password are enough.',
    form({
      fields: [
        field('Name', { name: 'name', autocomplete: 'name', maxlength: 80 }),
        field('Email', { name: 'email', type: 'email', autocomplete: 'username', maxlength: 254 }),
        field(
          'Password',
          { name: 'password', type: 'password', autocomplete: 'new-password', minlength: 12, maxlength: 128 },
          'Twelve characters at least. Four words do very well.',
        ),
      ],
      button: 'Make an account',
      work: ({ name, email, password }) => session.signUp(name, email, password),
      sayRefusal: (problem) =>
        problem.status === 409 ? 'This email has an account already. Do you want to sign in?' : '',
    }),
    ['Been here before? ', h('a', { href: '#/sign-in' }, 'Sign in')],
  );
  return 'Sign up';
}
