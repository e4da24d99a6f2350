// Who asks: the token that a page beyond loopback needs. It comes in the address after `#token=`,
// which browsers send to no server, and is taken out of the address bar at once.

const KEY = 'avwatch.token';
let known = '';

/** Takes the token from the address, or from this tab's memory. */
export function begin() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    setToken(given);
    history.replaceState(null, '', location.pathname + location.search);
    return;
  }
  try {
    known = sessionStorage.getItem(KEY) ?? '';
  } catch {
    known = '';
  }
}

/** The token, or an empty text. */
export function token() {
  return known;
}

/** Takes a token for this tab. */
export function setToken(value) {
  known = value.trim();
  try {
    sessionStorage.setItem(KEY, known);
  } catch {
    // Without memory it lives as long as the page.
  }
}
