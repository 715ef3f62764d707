// api.js - the one place that talks to the server. Every refusal becomes a Problem; `words` says it to a person.

export class Problem extends Error {
  constructor(status, body = {}, retryAfter = 0) {
    super(body.detail || body.title || `status ${status}`);
    this.status = status; // 0: no answer at all
    this.detail = body.detail || '';
    this.errors = Array.isArray(body.errors) ? body.errors : [];
    this.retryAfter = retryAfter;
  }
}

/** Was the outcome left open? Then the same request may be sent again, if it carries a key. */
export function isOpen(problem) {
  return problem.status === 0 || problem.status >= 500;
}

export async function call(method, path, { body, query, key, signal } = {}) {
  const url = new URL(`/api${path}`, location.origin);
  for (const [name, value] of Object.entries(query || {})) {
    if (value !== undefined && value !== null && value !== '') url.searchParams.set(name, value);
  }
  const headers = { Accept: 'application/json, application/problem+json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key !== undefined) headers['Idempotency-Key'] = key;

  let reply, text;
  try {
    reply = await fetch(url, {
      method,
      headers,
      signal,
      credentials: 'same-origin',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await reply.text();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0);
  }
  let value = null;
  try {
    value = text === '' ? null : JSON.parse(text);
  } catch {
    throw new Problem(reply.ok ? 0 : reply.status);
  }
  if (reply.ok) return value;
  if (reply.status === 401) document.dispatchEvent(new CustomEvent('signed-out'));
  throw new Problem(reply.status, value || {}, Number(reply.headers.get('Retry-After')) || 0);
}

function sentence(text) {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  return trimmed[0].toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? '' : '.');
}

function waiting(seconds) {
  if (seconds <= 1) return 'in a moment';
  if (seconds < 90) return `in ${seconds} seconds`;
  return `in ${Math.ceil(seconds / 60)} minutes`;
}

/** A refusal in a person's words. */
export function words(problem) {
  switch (problem.status) {
    case 0:
      return 'The shop did not answer. Look at your connection and try again.';
    case 401:
      return 'Please sign in first.';
    case 403:
      return 'Your account may not do this.';
    case 404:
      return sentence(problem.detail) || 'This does not exist.';
    case 409:
      return sentence(problem.detail) || 'This cannot be done just now.';
    case 413:
      return 'That is too much at once.';
    case 422:
      return problem.errors.length > 0
        ? problem.errors
            .map((fault) => sentence(`${fieldOf(fault) ? `${fieldOf(fault)}: ` : ''}${fault.detail}`))
            .join(' ')
        : sentence(problem.detail) || 'Something in this form is not right.';
    case 429:
      return `That was a little too often. Please try again ${waiting(problem.retryAfter)}.`;
    case 503:
    case 504:
      return 'The shop is very busy. Please try again in a moment.';
    default:
      return 'Something went wrong on our side. It has been noted.';
  }
}

/** The form's field that a fault is about: the last name in its pointer. */
export function fieldOf(fault) {
  return (
    String(fault.pointer || '')
      .split('/')
      .filter((part) => part !== '' && !/^\d+$/.test(part))
      .pop() || ''
  );
}
