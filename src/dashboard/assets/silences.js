// What is snoozed on a stream, until when and why, with the way to end it.

import { attribute, fill, h } from './dom.js';
import { every } from './frame.js';
import { get } from './api.js';
import { isKiosk } from './address.js';
import { wake } from './actions.js';
import { moment } from './format.js';
import { complain } from './toast.js';
import * as shapes from './shapes.js';

/** How often silences are looked at, in milliseconds. */
const AGAIN = 5000;

/** True when a pattern, in which `*` stands for anything, fits a name. */
export function fits(pattern, name) {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(name);
}

export class Silences {
  constructor(name) {
    this.name = name;
    this.list = h('ul', { class: 'open-events', role: 'list' });
    this.node = h('div', { hidden: true }, h('h2', { class: 'second' }, 'Snoozed'), this.list);
    this.stop = every(AGAIN, () => this.load());
    this.load();
  }

  end() {
    this.stop();
    this.isEnded = true;
  }

  async load() {
    let all = [];
    try {
      all = shapes.silences(await get('/api/v1/silences'));
    } catch {
      // Told by whatever else fails; what was there stays.
      return;
    }
    if (this.isEnded) return;
    const own = all.filter(({ matchers }) => !matchers.stream || fits(matchers.stream, this.name));
    attribute(this.node, 'hidden', own.length === 0);
    fill(
      this.list,
      own.map((silence) => this.row(silence)),
    );
  }

  row(silence) {
    const { matchers } = silence;
    const what = [matchers.detector ?? 'everything', matchers.track ? `on ${matchers.track}` : ''].join(' ').trim();
    const end = isKiosk()
      ? null
      : h(
          'button',
          {
            type: 'button',
            class: 'small',
            'data-needs': 'operator',
            'aria-label': `End the snooze of ${what}`,
            click: () => wake(silence).then(() => this.load(), complain),
          },
          'End',
        );
    return h(
      'li',
      {},
      h(
        'span',
        { class: 'grow' },
        h('b', {}, what),
        ` until ${moment(silence.until)}, by ${silence.author}: ${silence.reason}`,
      ),
      end,
    );
  }
}
