// What the stand-in shows: pictures and clips, made by ffmpeg.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Small moving pictures of several kinds, so that a wall looks like one. */
export function pictures() {
  const folder = mkdtempSync(join(tmpdir(), 'mock-pictures-'));
  const size = '320x180';
  const sources = [
    `testsrc2=size=${size}:rate=2`,
    `mandelbrot=size=${size}:rate=2`,
    `gradients=size=${size}:rate=2:c0=0x203a5c:c1=0xb8763a:speed=0.2`,
    `gradients=size=${size}:rate=2:c0=0x1c3b2e:c1=0x8fb38a:speed=0.2`,
    `cellauto=size=${size}:rate=2:rule=110`,
    `gradients=size=${size}:rate=2:c0=0x3c2a4d:c1=0xe0b0a0:speed=0.3`,
  ];
  sources.forEach((source, kind) =>
    execFileSync('ffmpeg', [
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      source,
      '-t',
      '4',
      '-q:v',
      '6',
      join(folder, `${kind}-%02d.jpg`),
    ]),
  );
  const all = sources.map((_, kind) =>
    readdirSync(folder)
      .filter((name) => name.startsWith(`${kind}-`))
      .sort()
      .map((name) => readFileSync(join(folder, name))),
  );
  rmSync(folder, { recursive: true });
  return all;
}

/** Six seconds of picture and sound, as MP4 or as a transport stream, which no Chromium plays. */
export function clip(container) {
  const output = container === 'mp4' ? ['-f', 'mp4', '-movflags', 'frag_keyframe+empty_moov'] : ['-f', 'mpegts'];
  return execFileSync(
    'ffmpeg',
    [
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=320x180:rate=25:duration=6',
      '-f',
      'lavfi',
      '-i',
      'sine=frequency=440:duration=6',
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p',
      '-g',
      '25',
      '-c:a',
      'aac',
      ...output,
      'pipe:1',
    ],
    { maxBuffer: 64 << 20 },
  );
}
