// Asks for a token when the server wants one.

import { h } from './dom.js';
import { field, form } from './dialog.js';
import { setToken } from './access.js';

let isOpen = false;

/** Asks once at a time; `done()` when there is a new token. */
export async function askForToken(done) {
  if (isOpen) return;
  isOpen = true;
  const input = h('input', { type: 'password', autocomplete: 'current-password', maxlength: 500, required: true });
  const given = await form('This avwatch asks for a token', [
    h('p', {}, 'An administrator makes one with avwatch token. It is kept in this tab only.'), field('Token', input)], {
    action: 'Use token',
    submit: async () => {
      if (!input.value.trim()) throw new Error('The token is empty.');
      setToken(input.value);
    },
  });
  isOpen = false;
  if (given) done();
}
