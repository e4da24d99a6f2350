// When streams were seen, in milliseconds: what the journal says of all of them, and, since it is written late,
// what this page saw itself. Strips call nothing calm outside of it. Pure.

/** How far back it is kept. */
const KEPT = 24 * 3600_000;

/** How late the journal is at most, in round figures: a stream that is on since then went on from what it says last. */
const LATE = 35_000;

export class Seen {
  constructor() {
    /** Spans by stream, in order, as the journal has them. */
    this.spans = new Map();
    /** Up to when the journal was read; null before. */
    this.until = null;
    /** Since when each stream is on, as far as this page knows. */
    this.onSince = new Map();
  }

  /** Takes an answer of the journal: what it says replaces what was known from its begin on. */
  take({ since, until, streams }) {
    const oldest = until - KEPT;
    for (const name of new Set([...this.spans.keys(), ...streams.keys()])) {
      const spans = [];
      for (const { from, to } of this.spans.get(name) ?? [])
        if (from < since && to > oldest) spans.push({ from, to: Math.min(to, since) });
      for (const span of streams.get(name) ?? []) {
        const last = spans.at(-1);
        if (last && last.to >= span.from) last.to = Math.max(last.to, span.to);
        else spans.push({ ...span });
      }
      if (spans.length > 0) this.spans.set(name, spans);
      else this.spans.delete(name);
    }
    this.until = until;
  }

  /** Notes whether a stream is on at `at`. */
  note(name, isOn, at) {
    if (!isOn) this.onSince.delete(name);
    else if (!this.onSince.has(name)) this.onSince.set(name, at);
  }

  /** Nothing is seen any more until it is noted again. */
  lose() {
    this.onSince.clear();
  }

  forget(name) {
    this.spans.delete(name);
    this.onSince.delete(name);
  }

  /** When a stream was seen up to `end`, from `begin` on. */
  of(name, begin, end) {
    const spans = [];
    const put = (from, to) => {
      if (Math.min(to, end) > Math.max(from, begin)) spans.push({ from: Math.max(from, begin), to: Math.min(to, end) });
    };
    const known = this.spans.get(name) ?? [];
    for (const { from, to } of known) put(from, to);
    const since = this.onSince.get(name);
    if (since !== undefined) {
      const last = known.at(-1)?.to ?? -Infinity;
      put(last >= since - LATE ? last : since, end);
    }
    return spans;
  }
}
