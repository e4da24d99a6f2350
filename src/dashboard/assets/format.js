// Numbers and times as people read them. Pure.

/** The server's clock ahead of this machine's, in milliseconds; set from answers of the API. */
let ahead = 0;

/** Takes note of the server's clock: ages are told by it, not by a wall computer's own clock. */
export function setServerTime(milliseconds) {
  const offset = milliseconds - Date.now();
  // The Date header has whole seconds: smaller differences are none.
  ahead = Math.abs(offset) < 1500 ? 0 : offset;
}

/** Now, by the server's clock, in milliseconds since 1970. */
export function now() {
  return Date.now() + ahead;
}

const two = (number) => String(number).padStart(2, '0');

/** `14:03:07` local time. */
export function clock(time) {
  const date = new Date(time);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `14:03:07` today, else `27 Nov 14:03:07`. */
export function moment(time) {
  if (!Number.isFinite(time)) return '–';
  const date = new Date(time);
  const day = date.toDateString() === new Date(now()).toDateString()
    ? ''
    : `${date.getDate()} ${date.toLocaleString('en', { month: 'short' })} `;
  return `${day}${clock(time)}`;
}

/** A length of time in its two largest units: `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. */
export function lasted(milliseconds) {
  if (!Number.isFinite(milliseconds)) return '–';
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const pairs = [[86400, 'd', 3600, 'h'], [3600, 'h', 60, 'min'], [60, 'min', 1, 's']];
  const [big, bigUnit, small, smallUnit] = pairs.find(([size]) => seconds >= size);
  const rest = Math.floor((seconds % big) / small);
  return `${Math.floor(seconds / big)} ${bigUnit}${rest > 0 ? ` ${rest} ${smallUnit}` : ''}`;
}

/** A length of time in one unit, for narrow places: `12 s`, `3 min`, `2 h`, `4 d`. */
export function brief(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 5940) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** Three significant digits with a metric prefix: `4.21 M`. */
export function metric(value, unit) {
  if (!Number.isFinite(value)) return '–';
  const steps = [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']];
  const [size, prefix] = steps.find(([step]) => Math.abs(value) >= step) ?? [1, ''];
  const scaled = value / size;
  const digits = Math.abs(scaled) >= 100 ? 0 : Math.abs(scaled) >= 10 ? 1 : 2;
  return `${scaled.toFixed(size === 1 && Number.isInteger(value) ? 0 : digits)} ${prefix}${unit}`;
}

/** A fixed number of digits, or a dash. */
export function fixed(value, digits, unit = '') {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  return `${value.toFixed(digits)}${unit && ` ${unit}`}`;
}

/** `97 %`, `99.4 %`; 100 % only when it is all. */
export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return '–';
  if (share >= 1) return '100 %';
  const value = Math.min(share * 100, 99.9);
  return `${value >= 99 || value < 10 ? value.toFixed(1) : value.toFixed(0)} %`;
}

/** Seconds as microseconds, milliseconds or seconds. */
export function latency(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${fixed(seconds * 1e3, seconds < 0.01 ? 1 : 0)} ms`;
  return `${fixed(seconds, 1)} s`;
}

/** `1 stream`, `2 streams`. */
export function count(number, word) {
  return `${number.toLocaleString('en')} ${word}${number === 1 ? '' : 's'}`;
}
