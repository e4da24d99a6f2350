// The course of readings over time: what the service keeps of them, and what this page has heard since. The
// service keeps them some seconds late, so that there is a tear between the two at first. Pure.

/** Longest gap that counts as none, in steps, and the slack beside it, in milliseconds. */
const GAP = 3.5;
const SLACK = 500;

/** Readings heard that are put behind what the service keeps: ten minutes, one a second. */
const HEARD_MAX = 600;

export class Course {
  /** With steps of that length over that span, in milliseconds. */
  constructor(step, span) {
    this.heard = [];
    this.settled = 0;
    this.begin(step, span);
  }

  /** Begins afresh; what was heard stays. */
  begin(step, span) {
    Object.assign(this, { step, span, kept: [], points: [] });
  }

  /** Longest gap that a line crosses. */
  get gap() {
    return this.step * GAP + SLACK;
  }

  /** Takes what the service keeps from `since` on. */
  keep(points, since, now) {
    const from = Math.min(since, points[0]?.at ?? since);
    this.kept = this.kept.filter((point) => point.at < from).concat(points);
    this.points = [...this.kept];
    for (const reading of this.heard) this.append(reading);
    this.trim(now);
  }

  /** Goes on with a new reading. */
  hear(reading, now) {
    if (!reading?.at || reading.at <= (this.heard.at(-1)?.at ?? 0)) return;
    this.heard.push(reading);
    if (this.heard.length > HEARD_MAX) this.heard.shift();
    this.append(reading);
    this.trim(now);
  }

  append(reading) {
    if (reading.at <= (this.points.at(-1)?.at ?? 0)) return;
    const before = this.points.at(-2);
    // On long spans the newest point moves along until its step is over.
    if (before && reading.at - before.at < this.step) this.points.pop();
    this.points.push(reading);
  }

  trim(now) {
    const isOld = (point) => point.at < now - this.span;
    while (this.points.length > 0 && isOld(this.points[0])) this.points.shift();
    while (this.kept.length > 0 && isOld(this.kept[0])) this.kept.shift();
  }

  /** Up to when the service was asked: its last reading, or the begin of the span. */
  keptUntil(now) {
    return this.kept.at(-1)?.at ?? now - this.span;
  }

  /** Whether something is missing that the service may know by now: before what was heard, or in it. */
  isTorn(now) {
    let before = Math.max(this.keptUntil(now), this.settled);
    for (const { at } of this.heard) {
      if (at - before > this.gap) return true;
      before = Math.max(before, at);
    }
    return false;
  }

  /** What is missing up to now is not to be had. */
  settle() {
    this.settled = this.heard.at(-1)?.at ?? 0;
  }
}
