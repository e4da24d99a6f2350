// What an operator does: acknowledge an event, take that back, comment, snooze, remove a stream, test a receiver.

import { h } from './dom.js';
import { ask, part, send } from './api.js';
import { field, form } from './dialog.js';
import { recall, remember } from './memory.js';
import { say } from './toast.js';

const SNOOZES = [
  [10, '10 minutes'],
  [30, '30 minutes'],
  [60, '1 hour'],
  [240, '4 hours'],
  [480, '8 hours, a shift'],
  [1440, '24 hours'],
];

/** Longest that a test may take, in milliseconds: the service itself waits 25 s for the receiver. */
const TEST_WITHIN = 30_000;

/** The field for the operator's name, remembered in this browser. */
export function nameField() {
  const input = h('input', { name: 'author', autocomplete: 'name', maxlength: 100, required: true });
  input.value = recall('author', '');
  return input;
}

/** The name in that field; without one nothing is sent. */
export function nameIn(input) {
  const name = input.value.trim();
  if (!name) {
    input.setAttribute('aria-invalid', 'true');
    input.focus();
    throw new Error('Say who you are: others see who took this.');
  }
  remember('author', name);
  return name;
}

/** Acknowledges an event: somebody has it. */
export function acknowledge(event) {
  const who = nameField();
  const comment = h('input', { name: 'comment', maxlength: 1000 });
  return form(
    `Acknowledge ${event.detector} of ${event.stream}`,
    [field('Your name', who), field('Comment (optional)', comment)],
    {
      action: 'Acknowledge',
      submit: async () => {
        const body = { author: nameIn(who) };
        if (comment.value.trim()) body.comment = comment.value.trim();
        await send('POST', `/api/v1/events/${part(event.id)}/ack`, body);
        say(`Acknowledged ${event.detector} of ${event.stream}`);
      },
    },
  );
}

/** Takes an acknowledgement back. */
export async function unacknowledge(event) {
  await send(
    'POST',
    `/api/v1/events/${part(event.id)}/unack`,
    recall('author', '') ? { author: recall('author', '') } : {},
  );
  say('Acknowledgement taken back');
}

/** Adds a comment to an event. */
export function comment(event) {
  const who = nameField();
  const what = h('textarea', { name: 'comment', maxlength: 1000, required: true });
  return form(`Comment on ${event.detector} of ${event.stream}`, [field('Your name', who), field('Comment', what)], {
    action: 'Add comment',
    submit: async () => {
      if (!what.value.trim()) throw new Error('The comment is empty.');
      await send('POST', `/api/v1/events/${part(event.id)}/comment`, {
        author: nameIn(who),
        comment: what.value.trim(),
      });
    },
  });
}

/** Silences what an event is about for a while: nobody is told of it. */
export function snooze({ stream, detector, track }) {
  const who = nameField();
  const reason = h('input', { name: 'reason', maxlength: 500 });
  const length = h(
    'select',
    { name: 'minutes' },
    SNOOZES.map(([minutes, word]) => h('option', { value: minutes }, word)),
  );
  const reach = h(
    'select',
    { name: 'reach' },
    detector ? h('option', { value: 'detector' }, `only ${detector} on ${track || 'this stream'}`) : null,
    h('option', { value: 'stream' }, 'everything on this stream'),
  );
  length.value = '30';
  return form(
    `Snooze ${stream}`,
    [field('For', length), field('What', reach), field('Reason', reason), field('Your name', who)],
    {
      action: 'Snooze',
      submit: async () => {
        const matchers = { stream };
        if (reach.value === 'detector') {
          matchers.detector = detector;
          if (track) matchers.track = track;
        }
        const until = new Date(Date.now() + Number(length.value) * 60_000).toISOString();
        await send('POST', '/api/v1/silences', {
          matchers,
          until,
          reason: reason.value.trim() || 'snoozed on the dashboard',
          author: nameIn(who),
        });
        say(`Snoozed ${stream} for ${length.selectedOptions[0].textContent}`);
      },
    },
  );
}

/** Ends a silence before its time. */
export async function wake(silence) {
  await send('DELETE', `/api/v1/silences/${part(silence.id)}`);
  say('Snooze ended');
}

/** Removes a stream, after asking. */
export function removeStream(name) {
  return form(
    `Remove ${name}?`,
    [h('p', {}, 'It is no longer watched, and its open events end. Events of the past stay.')],
    {
      action: 'Remove stream',
      danger: true,
      submit: async () => {
        await send('DELETE', `/api/v1/streams/${part(name)}`);
        say(`Removed ${name}`);
      },
    },
  );
}

/** Sends a receiver of notifications a test message, and says whether it was taken. */
export async function testReceiver(name) {
  try {
    const response = await ask(`/api/v1/receivers/${part(name)}/test`, {
      method: 'POST',
      signal: AbortSignal.timeout(TEST_WITHIN),
    });
    const { delivered, error } = await response.json();
    if (delivered) say(`${name}: the test was taken`);
    else say(`${name}: the test was not taken: ${error}`, true);
  } catch (error) {
    // Several tests may go on at once, so what went wrong names its receiver, too.
    say(`${name}: ${error.message}`, true);
  }
}
