// The audible alarm: two tones while a critical event is open that nobody has acknowledged. On when an
// operator switches it on; browsers play nothing before the page was touched.

import { rank } from './severity.js';
import { recall, remember } from './memory.js';

/** How often it sounds, in milliseconds. */
const EVERY = 6000;

/** Its two tones, in hertz, and their length in seconds. */
const TONES = [880, 660];
const LENGTH = 0.22;

export class Alarm {
  constructor(model) {
    this.model = model;
    this.on = recall('alarm', false);
    this.context = null;
    this.sounded = -Infinity;
    this.listeners = new Set();
    setInterval(() => this.look(), 500);
    const unlock = () => this.unlock();
    addEventListener('pointerdown', unlock, { passive: true });
    addEventListener('keydown', unlock);
  }

  /** Calls `listener` when the switch or what is heard changes. */
  onChange(listener) {
    this.listeners.add(listener);
  }

  /** `off`, `on`, or `blocked` while the browser plays nothing. */
  state() {
    if (!this.on) return 'off';
    return this.context?.state === 'running' ? 'on' : 'blocked';
  }

  /** Switches it; gives whether it is on. */
  toggle() {
    this.on = !this.on;
    remember('alarm', this.on);
    this.unlock();
    this.sounded = -Infinity;
    this.tell();
    return this.on;
  }

  /** Open critical events that nobody has taken. */
  reasons() {
    return [...this.model.events.values()].filter((event) => event.open && rank(event.severity) === 5
      && event.state !== 'acked' && event.state !== 'suppressed');
  }

  unlock() {
    if (!this.on) return;
    this.context ??= new AudioContext();
    if (this.context.state !== 'running') this.context.resume().then(() => this.tell(), () => {});
  }

  look() {
    if (!this.on || performance.now() - this.sounded < EVERY || this.reasons().length === 0) return;
    if (this.context?.state !== 'running') return;
    this.sounded = performance.now();
    this.play();
  }

  play() {
    TONES.forEach((tone, index) => {
      const begin = this.context.currentTime + index * LENGTH;
      const source = new OscillatorNode(this.context, { type: 'triangle', frequency: tone });
      const loudness = new GainNode(this.context, { gain: 0 });
      loudness.gain.setValueAtTime(0, begin);
      loudness.gain.linearRampToValueAtTime(0.4, begin + 0.02);
      loudness.gain.linearRampToValueAtTime(0, begin + LENGTH);
      source.connect(loudness).connect(this.context.destination);
      source.start(begin);
      source.stop(begin + LENGTH);
    });
    this.played = (this.played ?? 0) + 1;
    document.documentElement.dataset.alarms = String(this.played);
  }

  tell() {
    for (const listener of this.listeners) listener();
  }
}
