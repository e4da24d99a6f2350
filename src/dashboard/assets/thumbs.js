// Pictures of streams: only for tiles that can be seen, each read again every two seconds, a few at a
// time. Each picture carries the time at which it was made; whoever shows it says when that is long ago.

import { ask, part } from './api.js';
import { now } from './format.js';
import { soon } from './frame.js';

/** How often a visible picture is asked for, in milliseconds. */
const PERIOD = 2000;

/** Requests at the same time: the browser has six connections, one of which is the live feed's. */
const PARALLEL = 4;

/** Age from which on a picture is stale, in milliseconds. */
export const STALE = 5000;

export class Thumbnails {
  constructor() {
    this.wanted = new Map();
    this.running = 0;
    this.timer = setInterval(() => this.pump(), 100);
    this.pause = () => this.pump();
    document.addEventListener('visibilitychange', this.pause);
  }

  end() {
    clearInterval(this.timer);
    document.removeEventListener('visibilitychange', this.pause);
    this.wanted.clear();
  }

  /** Begins to load for a viewer: `{ name, picture({ url, at } | null) }`. */
  want(viewer) {
    if (this.wanted.get(viewer)?.name === viewer.name) return;
    this.wanted.set(viewer, { name: viewer.name, due: 0, busy: false });
    this.pump();
  }

  /** Stops loading for a viewer. */
  drop(viewer) {
    this.wanted.delete(viewer);
  }

  pump() {
    if (document.hidden) return;
    const time = performance.now();
    const due = [...this.wanted].filter(([, job]) => !job.busy && job.due <= time).sort(([, one], [, other]) => one.due - other.due);
    for (const [viewer, job] of due) {
      if (this.running >= PARALLEL) return;
      this.running += 1;
      job.busy = true;
      job.due = time + PERIOD;
      this.load(viewer, job).finally(() => {
        this.running -= 1;
        job.busy = false;
        this.pump();
      });
    }
  }

  async load(viewer, job) {
    try {
      const response = await ask(`/api/v1/streams/${part(job.name)}/thumbnail`);
      const blob = await response.blob();
      if (this.wanted.get(viewer) !== job) return;
      const made = Date.parse(response.headers.get('last-modified') ?? '');
      await viewer.picture({ blob, at: Number.isFinite(made) ? made : now() });
    } catch (error) {
      // 404: there is none yet, or not any more. Else the last one stays, and grows old.
      if (error.status === 404 && this.wanted.get(viewer) === job) await viewer.picture(null);
    }
  }
}

/** How often new pictures are put on the page, all at once: each time the browser paints. */
const SHOW_EVERY = 250;

let ready = [];
let timer = null;

function showAll() {
  const all = ready;
  ready = [];
  for (const show of all) show();
}

/** Calls `show` with the next pictures that are put on the page. */
function showSoon(show) {
  ready.push(show);
  timer ??= setTimeout(() => {
    timer = null;
    soon(showAll);
  }, SHOW_EVERY);
}

/** An `<img>` that takes pictures without flicker and frees what it no longer shows. */
export class Picture {
  constructor(image) {
    this.image = image;
    this.at = null;
    this.url = null;
    /** Changes whenever it is cleared: what was on its way then is not shown. */
    this.turn = 0;
  }

  /** Shows a picture, or none, and calls `shown`. */
  async set(picture, shown) {
    if (picture === null) {
      this.clear();
      shown();
      return;
    }
    const turn = this.turn;
    const url = URL.createObjectURL(picture.blob);
    const loader = new Image();
    loader.src = url;
    try {
      // Decoded beside the main thread; shown only when it is whole.
      await loader.decode();
    } catch {
      URL.revokeObjectURL(url);
      return;
    }
    showSoon(() => {
      if (this.turn !== turn) {
        URL.revokeObjectURL(url);
        return;
      }
      this.image.src = url;
      this.image.hidden = false;
      if (this.url) URL.revokeObjectURL(this.url);
      this.url = url;
      this.at = picture.at;
      shown();
    });
  }

  clear() {
    this.turn += 1;
    this.image.removeAttribute('src');
    this.image.hidden = true;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.at = null;
  }

  /** Age in milliseconds; nothing without a picture. */
  age() {
    return this.at === null ? null : Math.max(0, now() - this.at);
  }
}
