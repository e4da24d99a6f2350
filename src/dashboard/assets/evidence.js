// The evidence of an event: the clip, where this browser can decode it; else its pictures, and the
// waveform of its sound. An event says where its evidence will be; it is there some
// time after the onset.

import { attribute, fill, h } from './dom.js';
import { ask, get, part } from './api.js';
import { soon } from './frame.js';
import { fixed, now } from './format.js';
import { complain } from './toast.js';
import { waveforms } from './waveform.js';

/** Waits between looks for evidence that is not written yet, in milliseconds; then it is given up. */
const WAITS = [2000, 3000, 5000, 5000, 10_000, 10_000, 20_000, 30_000];

/** Age from which on what is not there is not still being written, in milliseconds. */
const WRITTEN_WITHIN = 150_000;

/** Most pictures of a strip. */
const PICTURES_MAX = 32;

/** What a picture shows, in words. */
const SHOWN = { onset: 'the onset', raised: 'when it was raised', end: 'when it was told to be over', strip: '' };

/** Media types of containers. */
const TYPES = { mp4: 'video/mp4', matroska: 'video/x-matroska', mpegts: 'video/mp2t' };

/** Puts the onset in the middle of a strip. */
function showOnset(strip) {
  const onset = strip.querySelector('[data-shows="onset"]');
  if (onset) strip.scrollLeft = onset.offsetLeft - strip.offsetLeft - (strip.clientWidth - onset.clientWidth) / 2;
}

export class Evidence {
  constructor(id) {
    this.id = id;
    this.node = h('div', { class: 'evidence' });
    this.urls = [];
    this.known = undefined;
    this.tries = 0;
    this.say('Looking for evidence …');
  }

  end() {
    clearTimeout(this.timer);
    this.isEnded = true;
    for (const url of this.urls) URL.revokeObjectURL(url);
  }

  say(words) {
    fill(this.node, h('p', { class: 'soft', role: 'status' }, words));
  }

  /** Shows what the event has. */
  async show(event) {
    const where = typeof event.evidence === 'string' && event.evidence.startsWith('/api/') ? event.evidence : null;
    if (this.isDone || (this.tries > 0 && this.known === where)) return;
    this.known = where;
    clearTimeout(this.timer);
    await this.look(event, where);
  }

  async look(event, where) {
    if (where !== null) {
      try {
        const manifest = await get(where);
        this.isDone = true;
        await this.draw(where, manifest);
        return;
      } catch (error) {
        // 404: it is not written yet, or not any more.
        if (error.status !== 404) this.say(error.message);
      }
    }
    const isYoung = now() - (event.raised ?? 0) < WRITTEN_WITHIN || (where === null && event.open);
    if (isYoung) this.wait(event, where);
    else this.say('There is no evidence: none was kept for this event, or it is gone.');
  }

  /** Looks again while the time after the onset passes and the clip is written. */
  wait(event, where) {
    if (this.isEnded || this.isDone) return;
    if (this.tries >= WAITS.length) {
      this.say('There is no evidence: none was kept for this event.');
      return;
    }
    this.say('No evidence yet: it is written when the time after the onset has passed.');
    this.timer = setTimeout(async () => {
      const json = await get(`/api/v1/events/${part(this.id)}`).catch(() => event);
      const found = typeof json.evidence === 'string' && json.evidence.startsWith('/api/') ? json.evidence : where;
      if (!this.isEnded) await this.look(event, found);
    }, WAITS[this.tries]);
    this.tries += 1;
  }

  async draw(where, manifest) {
    const box = h('div', { class: 'stack' });
    fill(this.node, box);
    const file = (name) => `${where}/${part(name)}`;
    if (manifest.clip) await this.drawClip(box, file, manifest.clip, manifest.film);
    const pictures = (manifest.pictures ?? []).slice(0, PICTURES_MAX);
    if (pictures.length > 0) {
      const strip = await this.strip(pictures, file);
      box.append(strip);
      soon(() => showOnset(strip));
    }
    if (manifest.trace) {
      const trace = await get(file(manifest.trace)).catch(() => null);
      if (trace) box.append(...waveforms(trace));
    }
    for (const missing of manifest.missing ?? []) box.append(h('p', { class: 'soft' }, `Missing: ${missing}`));
    if (box.childElementCount === 0) this.say('There is no evidence: none was kept for this event.');
  }

  /** The clip as a film; what cannot be played here can be kept as a file. `film` is the same for browsers, if any. */
  async drawClip(box, file, clip, film) {
    let played;
    try {
      played = await this.fetched(file((film ?? clip).file), film ? 'video/mp4' : TYPES[clip.container]);
    } catch (error) {
      box.append(h('p', { class: 'soft' }, `The clip cannot be read: ${error.message}`));
      return;
    }
    if (this.isEnded) return;
    this.drawFilm(box, played, clip);
    box.append(
      h(
        'p',
        { class: 'soft' },
        `From ${fixed(clip.before_s, 1)} s before the onset to ${fixed(clip.after_s, 1)} s after it, as it was sent. `,
        film ? this.keeping(clip, file) : h('a', { href: played, download: clip.file }, 'Keep as a file'),
        film?.left_out?.length > 0 ? ` Not played here: ${film.left_out.join(', ')}.` : null,
      ),
    );
  }

  drawFilm(box, url, clip) {
    const film = h('video', { controls: true, preload: 'auto', 'aria-label': 'Clip around the event' });
    const played = (word) => attribute(this.node, 'data-played', word);
    film.addEventListener(
      'loadeddata',
      () => {
        played('yes');
        // At the onset, which is what one wants to see.
        film.currentTime = Math.max(0, clip.before_s - 1);
      },
      { once: true },
    );
    film.addEventListener('error', () => {
      played('no');
      film.replaceWith(h('p', { class: 'soft' }, 'This browser cannot play the clip; these are its pictures.'));
    });
    box.append(film);
    film.src = url;
  }

  /** Fetches the clip when somebody wants it as a file: what is played is another one. */
  keeping(clip, file) {
    const link = h('a', { download: clip.file, hidden: true });
    const button = h(
      'button',
      {
        type: 'button',
        click: async () => {
          try {
            link.href = await this.fetched(file(clip.file), TYPES[clip.container]);
            link.click();
          } catch (error) {
            complain(error);
          }
        },
      },
      `Keep ${clip.file}`,
    );
    return [button, link];
  }

  /** The address of a file that was fetched. */
  async fetched(address, type) {
    const response = await ask(address);
    return this.keep(new Blob([await response.arrayBuffer()], { type: type ?? 'video/mp4' }));
  }

  async strip(pictures, file) {
    const figures = await Promise.all(
      pictures.map(async (picture) => {
        const response = await ask(file(picture.file)).catch(() => null);
        if (!response || this.isEnded) return null;
        const at = `${picture.at_s < 0 ? '−' : '+'}${fixed(Math.abs(picture.at_s), 1)} s`;
        return h(
          'figure',
          { 'data-shows': picture.shows },
          h('img', { src: this.keep(await response.blob()), alt: '' }),
          h('figcaption', {}, at, SHOWN[picture.shows] ? h('b', {}, ` ${SHOWN[picture.shows]}`) : null),
        );
      }),
    );
    return h(
      'div',
      { class: 'film-strip', tabindex: '0', role: 'group', 'aria-label': 'Pictures around the event' },
      figures,
    );
  }

  keep(blob) {
    const url = URL.createObjectURL(blob);
    this.urls.push(url);
    return url;
  }
}
