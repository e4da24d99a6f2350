// Adding and changing a stream. The server says what is wrong with it; the form only asks.

import { h } from './dom.js';
import { getTagged, part, send } from './api.js';
import { field, form } from './dialog.js';
import { go } from './address.js';
import { complain, say } from './toast.js';

const PROFILES = ['ott', 'broadcast-eu', 'broadcast-us', 'radio', 'static-ok', 'news-sport'];
const EXPECTED = ['codec', 'width', 'height', 'frame_rate', 'audio_tracks'];

/** What is said where the stream is no longer as it was when the form was filled. */
const MEANWHILE =
  'This stream was changed or removed by somebody else meanwhile, so nothing was saved. ' +
  'What you typed is still here. Close this dialog and open it again to see the change.';

/** Keys of a stream that the form shows; the others of a changed stream are sent back as they were. */
const TEXTS = ['name', 'title', 'url', 'profile', 'runbook_url'];

const input = (name, more = {}) => h('input', { name, autocomplete: 'off', spellcheck: 'false', ...more });
const choice = (name, options) =>
  h(
    'select',
    { name },
    options.map((value) => h('option', { value }, value)),
  );

function inputs() {
  const profiles = h(
    'datalist',
    { id: 'profiles' },
    PROFILES.map((value) => h('option', { value })),
  );
  return {
    profiles,
    name: input('name', { maxlength: 128, required: true }),
    title: input('title', { maxlength: 200 }),
    url: input('url', { maxlength: 4096, required: true }),
    mode: choice('mode', ['live', 'observe']),
    profile: input('profile', { list: 'profiles' }),
    priority: input('priority', { type: 'number', min: 0, max: 9 }),
    labels: h('textarea', { name: 'labels', spellcheck: 'false', placeholder: 'site = north' }),
    codec: input('codec', { placeholder: 'h264' }),
    width: input('width', { type: 'number', min: 1 }),
    height: input('height', { type: 'number', min: 1 }),
    frame_rate: input('frame_rate', { type: 'number', min: 0, step: 'any' }),
    audio_tracks: input('audio_tracks', { type: 'number', min: 0 }),
    runbook_url: input('runbook_url', { type: 'url', placeholder: 'https://…' }),
  };
}

function layout(fields, isNew) {
  const expect = h(
    'fieldset',
    { class: 'fields wide plain-set' },
    h('legend', {}, 'Expected (differences become events)'),
    field('Codec', fields.codec),
    field('Width', fields.width),
    field('Height', fields.height),
    field('Frame rate', fields.frame_rate),
    field('Audio tracks', fields.audio_tracks),
  );
  return h(
    'div',
    { class: 'fields' },
    fields.profiles,
    field('Name', fields.name, isNew ? 'letters, digits, - _ .' : 'cannot be changed'),
    field('Title for people', fields.title),
    field('Address', fields.url, 'srt, rtmp, rtsp, udp, rtp, http or https; HLS playlists too', true),
    field('Mode', fields.mode, 'observe: recorded, nobody is notified'),
    field('Profile', fields.profile),
    field('Priority', fields.priority, '9 is shed last under load'),
    field('Labels', fields.labels, 'one a line: name = value', true),
    expect,
    field('Runbook', fields.runbook_url, 'linked from every event', true),
  );
}

/** Asks for a new stream and adds it. */
export async function addStream() {
  const fields = inputs();
  fields.mode.value = 'live';
  fields.profile.value = 'ott';
  const added = await form('Add a stream', [layout(fields, true)], {
    action: 'Add stream',
    narrow: false,
    submit: async () => {
      await send('POST', '/api/v1/streams', body(fields, {}));
      return fields.name.value.trim();
    },
  });
  if (!added) return;
  say(`Added ${added}`);
  go({ view: 'stream', name: added });
}

/** Shows a stream as configured and changes it. */
export async function editStream(name) {
  let settings;
  let tag;
  try {
    const read = await getTagged(`/api/v1/streams/${part(name)}`);
    const { answer } = read;
    tag = read.tag;
    settings = answer.settings ?? answer.config ?? answer;
  } catch (error) {
    complain(error);
    return;
  }
  const fields = inputs();
  show(fields, { ...settings, name });
  fields.name.disabled = true;
  const changed = await form(`Edit ${name}`, [layout(fields, false)], {
    action: 'Save',
    narrow: false,
    submit: async () => {
      try {
        await send('PUT', `/api/v1/streams/${part(name)}`, body(fields, settings), tag);
      } catch (error) {
        throw error.status === 412 ? new Error(MEANWHILE) : error;
      }
    },
  });
  if (changed) say(`Saved ${name}`);
}

function show(fields, settings) {
  for (const key of TEXTS) fields[key].value = settings[key] ?? '';
  fields.mode.value = settings.mode ?? 'live';
  fields.priority.value = settings.priority ?? '';
  fields.labels.value = Object.entries(settings.labels ?? {})
    .map(([key, value]) => `${key} = ${value}`)
    .join('\n');
  for (const key of EXPECTED) fields[key].value = settings.expect?.[key] ?? '';
}

/** What is sent: what the form shows, over what was there before. */
function body(fields, before) {
  const settings = { ...before };
  const put = (key, value) => {
    if (value === '' || value === null) delete settings[key];
    else settings[key] = value;
  };
  for (const key of TEXTS) put(key, fields[key].value.trim());
  settings.mode = fields.mode.value;
  put('priority', fields.priority.value === '' ? '' : Number(fields.priority.value));
  settings.labels = labels(fields.labels.value);
  const expect = { ...before.expect };
  for (const key of EXPECTED) {
    const value = fields[key].value.trim();
    if (value === '') delete expect[key];
    else expect[key] = key === 'codec' ? value : Number(value);
  }
  if (Object.keys(expect).length > 0) settings.expect = expect;
  else delete settings.expect;
  return settings;
}

/** `name = value` by line. */
export function labels(text) {
  const found = {};
  for (const line of text
    .split('\n')
    .map((one) => one.trim())
    .filter(Boolean)) {
    const cut = line.indexOf('=');
    if (cut < 1) throw new Error(`Labels are written as name = value, one a line; this is not: ${line}`);
    found[line.slice(0, cut).trim()] = line.slice(cut + 1).trim();
  }
  return found;
}
