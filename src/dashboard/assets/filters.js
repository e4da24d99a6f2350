// The bar above the wall: search, label, conditions with their counts, how the wall looks.

import { attribute, fill, h, text } from './dom.js';
import { change, state } from './address.js';
import { viewButton } from './views.js';
import { SEVERITIES, setSign, sign } from './severity.js';
import { addStream } from './stream_form.js';

/** Conditions in the order in which they are shown. */
const CONDITIONS = [...SEVERITIES].reverse().concat(['no input', 'blind', 'off', 'ok']);

/** Conditions that are always shown; the others only when a stream is in them. */
const ALWAYS = new Set(['critical', 'major', 'ok']);

/** Most values offered as labels. */
const LABELS_MAX = 200;

export function filterBar(context) {
  const { model } = context;
  const search = h('input', {
    type: 'search',
    class: 'search',
    placeholder: matchMedia('(max-width: 760px)').matches ? 'Search' : 'Search streams  ( / )',
    'aria-label': 'Search streams by name, title or label',
    input: () => change({ q: search.value.trim() }),
  });
  search.value = state().q ?? '';
  const labels = h('select', { 'aria-label': 'Label', change: () => change({ label: labels.value }) });
  const chips = new Map(CONDITIONS.map((condition) => [condition, chip(condition)]));
  const shown = h('span', { class: 'soft unseen', role: 'status' });
  const node = h(
    'div',
    { class: 'bar', role: 'search' },
    search,
    labels,
    h(
      'div',
      { class: 'chips', role: 'group', 'aria-label': 'Only streams that are' },
      [...chips.values()].map((one) => one.node),
    ),
    h('span', { class: 'grow' }),
    viewButton(),
    h(
      'button',
      { type: 'button', 'aria-label': 'Add stream', 'data-needs': 'admin', click: () => addStream() },
      h('span', {}, 'Add', h('span', { class: 'more' }, ' stream')),
    ),
    shown,
  );
  let offered = '';
  const update = (visible) => {
    const counts = model.counts();
    for (const [condition, one] of chips) one.update(counts.get(condition) ?? 0);
    const values = [...model.labels()]
      .flatMap(([name, set]) => [...set].map((value) => `${name}=${value}`))
      .sort()
      .slice(0, LABELS_MAX);
    if (offered !== values.join('\n')) {
      offered = values.join('\n');
      fill(
        labels,
        h('option', { value: '' }, 'All labels'),
        values.map((value) => h('option', { value }, value)),
      );
    }
    labels.value = state().label ?? '';
    labels.hidden = values.length === 0 && !state().label;
    if (document.activeElement !== search) search.value = state().q ?? '';
    text(shown, `${visible} streams shown`);
  };
  return {
    node,
    update,
    find: () => {
      search.focus();
      search.select();
    },
  };
}

/** A condition with its count; pressed, only streams in it are shown. */
function chip(condition) {
  const number = h('b', {}, '0');
  const mark = sign(SEVERITIES.includes(condition) ? condition : null);
  setSign(mark, SEVERITIES.includes(condition) ? condition : null);
  const node = h(
    'button',
    {
      type: 'button',
      class: 'chip',
      'aria-pressed': 'false',
      click: () => change({ is: state().is === condition ? '' : condition }),
    },
    SEVERITIES.includes(condition) || condition === 'ok' ? mark : null,
    number,
    condition === 'ok' ? 'OK' : condition,
  );
  return {
    node,
    update: (count) => {
      text(number, count.toLocaleString('en'));
      node.classList.toggle('zero', count === 0);
      attribute(node, 'hidden', count === 0 && !ALWAYS.has(condition) && state().is !== condition);
      attribute(node, 'aria-pressed', state().is === condition ? 'true' : 'false');
    },
  };
}
