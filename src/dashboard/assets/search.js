// Which streams a search finds. Pure.

/** True when a stream has every word of `query` in name, title or labels, and the label if one is chosen. */
export function matches(stream, query, label) {
  if (label && !hasLabel(stream, label)) return false;
  if (!query) return true;
  const text = textOf(stream);
  return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** `label` is `name=value`. */
function hasLabel(stream, label) {
  const cut = label.indexOf('=');
  return stream.labels[label.slice(0, cut)] === label.slice(cut + 1);
}

function textOf(stream) {
  const labels = Object.entries(stream.labels).map(([name, value]) => `${name}=${value}`);
  return [stream.name, stream.title ?? '', ...labels].join('\n').toLowerCase();
}
