// The evidence of an event: the clip, where this browser can decode it; else its pictures and the
// waveform of its sound. Asked for once, and again while it is still being written.

import { attribute, fill, h } from './dom.js';
import { ask, get, part } from './api.js';
import { fixed } from './format.js';
import { waveform } from './waveform.js';
import * as shapes from './shapes.js';

/** Waits between questions while evidence is being written, in milliseconds; then it is given up. */
const WAITS = [2000, 3000, 5000, 10_000, 10_000, 20_000];

/** Most pictures of a strip. */
const PICTURES_MAX = 24;

export class Evidence {
  constructor(id) {
    this.id = id;
    this.node = h('div', { class: 'evidence' });
    this.urls = [];
    this.shown = '';
    this.tries = 0;
    this.say('Looking for evidence …');
  }

  end() {
    clearTimeout(this.timer);
    this.isEnded = true;
    for (const url of this.urls) URL.revokeObjectURL(url);
  }

  say(words) {
    fill(this.node, h('p', { class: 'soft' }, words));
  }

  /** Shows what the event has. */
  async show(event) {
    const known = shapes.evidence(event);
    const key = JSON.stringify(known);
    if (key === this.shown) return;
    this.shown = key;
    clearTimeout(this.timer);
    if (!known || known.state === 'pending' || known.state === 'writing') this.wait(event, known);
    else await this.draw(known);
  }

  wait(event, known) {
    if (!known && !event.open && this.tries > 0) return this.say('There is no evidence: none was kept for this event.');
    this.say(known ? 'The clip is still being written …' : 'No evidence yet.');
    if (this.tries >= WAITS.length) return undefined;
    this.timer = setTimeout(async () => {
      this.tries += 1;
      this.shown = '';
      try {
        const json = await get(`/api/v1/events/${part(this.id)}`);
        if (!this.isEnded) await this.show(shapes.event(json.event ?? json));
      } catch (error) {
        this.say(error.message);
      }
    }, WAITS[this.tries]);
    return undefined;
  }

  async draw(known) {
    const clip = known.clip?.url ?? known.clip;
    const box = h('div', { class: 'stack' });
    fill(this.node, box);
    if (typeof clip === 'string') await this.drawClip(box, clip, known);
    const pictures = (known.pictures ?? []).slice(0, PICTURES_MAX);
    if (pictures.length > 0) box.append(await this.strip(pictures));
    if (known.waveform) box.append(waveform(known.waveform));
    if (box.childElementCount === 0) this.say('There is no evidence: none was kept for this event.');
  }

  /** The clip as a film; what cannot be played here can be kept as a file. */
  async drawClip(box, clip, known) {
    const response = await ask(clip).catch((error) => error);
    if (response instanceof Error || this.isEnded) {
      box.append(h('p', { class: 'soft' }, response.message ?? ''));
      return;
    }
    const url = this.keep(await response.blob());
    const film = h('video', { controls: true, preload: 'auto', 'aria-label': 'Clip around the event' });
    const note = h('p', { class: 'soft' }, known.seconds ? `${fixed(known.seconds, 0)} s around the onset. ` : '', h('a', { href: url, download: `${this.id}.${known.extension ?? 'mp4'}` }, 'Keep as a file'));
    film.addEventListener('error', () => {
      film.replaceWith(h('p', { class: 'soft' }, 'This browser cannot decode the clip; below is what it shows.'));
      attribute(this.node, 'data-played', 'no');
    });
    film.addEventListener('loadeddata', () => attribute(this.node, 'data-played', 'yes'));
    film.src = url;
    box.append(film, note);
  }

  async strip(pictures) {
    const images = await Promise.all(pictures.map(async (picture) => {
      const response = await ask(picture.url ?? picture).catch(() => null);
      if (!response || this.isEnded) return null;
      return h('img', { src: this.keep(await response.blob()), alt: picture.at_s === undefined ? 'Picture' : `Picture at ${fixed(picture.at_s, 1)} s` });
    }));
    return h('div', { class: 'film-strip', tabindex: '0', role: 'group', 'aria-label': 'Pictures around the event' }, images);
  }

  keep(blob) {
    const url = URL.createObjectURL(blob);
    this.urls.push(url);
    return url;
  }
}
