//! The bombs themselves.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::media::clip::PACKET;

/// Programmes of the transport stream: more than are followed. Each has a map of its own.
const PROGRAMMES: u16 = 1_000;
const VARIANTS: usize = 10_000;
/// Bytes that the compressed playlist comes to.
const UNPACKED: usize = 64 << 20;

/// Bytes to serve.
pub struct Material {
    pub large_picture: Vec<u8>,
    pub many_programmes: Vec<u8>,
    pub many_variants: Vec<u8>,
    pub gzip: Vec<u8>,
}

impl Material {
    /// Makes them.
    ///
    /// # Errors
    /// `ffmpeg` or `gzip` fails.
    pub fn make() -> Result<Self> {
        let variants =
            (0..VARIANTS).map(|number| format!("#EXT-X-STREAM-INF:BANDWIDTH={}\nvariant-{number}.m3u8\n", number + 1));
        Ok(Self {
            large_picture: large_picture()?,
            many_programmes: many_programmes(),
            many_variants: ["#EXTM3U\n".to_owned()].into_iter().chain(variants).collect::<String>().into_bytes(),
            gzip: gzip()?,
        })
    }
}

/// H.264 of 8192x8192: some hundred kilobytes that decode into 100 MB a picture.
fn large_picture() -> Result<Vec<u8>> {
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=s=8192x8192:r=1:d=2"])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-threads",
            "1",
            "-x264-params",
            "rc-lookahead=0:sync-lookahead=0",
        ])
        .args(["-f", "mpegts", "-"])
        .stderr(Stdio::inherit())
        .output()
        .context("ffmpeg is needed")?;
    ensure!(made.status.success() && !made.stdout.is_empty(), "no large picture");
    Ok(made.stdout)
}

fn gzip() -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("playlist.m3u8");
    let line = b"#EXTINF:1,\nsegment-of-this-playlist.ts\n";
    std::fs::write(&path, [&b"#EXTM3U\n"[..], &line.repeat(UNPACKED / line.len())].concat())?;
    let made = Command::new("gzip").arg("-9c").arg(&path).output().context("gzip is needed")?;
    ensure!(made.status.success() && made.stdout.len() < UNPACKED / 100, "no compressed playlist");
    Ok(made.stdout)
}

/// Tables of many programmes, again and again, and no media.
fn many_programmes() -> Vec<u8> {
    let mut counters = [0_u8; 8_192];
    let mut bytes = Vec::new();
    for _ in 0..3 {
        let all: Vec<u16> = (1..=PROGRAMMES).collect();
        // A section holds 253 programmes at most.
        let parts: Vec<&[u16]> = all.chunks(250).collect();
        for (number, part) in parts.iter().enumerate() {
            let body: Vec<u8> =
                part.iter().flat_map(|id| [id.to_be_bytes(), (0xE000 | map_pid(*id)).to_be_bytes()].concat()).collect();
            let section = section(0x00, 1, number as u8, parts.len() as u8 - 1, &body);
            packets(0, &section, &mut counters, &mut bytes);
        }
        for id in &all {
            let stream = 0x1800 | (id & 0x3FF);
            let body = [
                &(0xE000 | stream).to_be_bytes()[..],
                &[0xF0, 0x00, 0x1B],
                &(0xE000 | stream).to_be_bytes(),
                &[0xF0, 0x00],
            ]
            .concat();
            packets(map_pid(*id), &section(0x02, *id, 0, 0, &body), &mut counters, &mut bytes);
        }
    }
    bytes
}

fn map_pid(id: u16) -> u16 {
    0x100 + id
}

/// A section with its checksum (ISO/IEC 13818-1, 2.4.4).
fn section(table: u8, id: u16, number: u8, last: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 9) | 0xB000;
    let mut section = [&[table][..], &length.to_be_bytes(), &id.to_be_bytes(), &[0xC1, number, last], body].concat();
    let checksum = section.iter().fold(u32::MAX, |sum, byte| {
        (0..8)
            .fold(sum ^ u32::from(*byte) << 24, |sum, _| if sum >> 31 == 1 { sum << 1 ^ 0x04C1_1DB7 } else { sum << 1 })
    });
    section.extend(checksum.to_be_bytes());
    section
}

fn packets(pid: u16, section: &[u8], counters: &mut [u8], bytes: &mut Vec<u8>) {
    // The pointer says that the section begins at once.
    let payload = [&[0][..], section].concat();
    for (index, part) in payload.chunks(PACKET - 4).enumerate() {
        let counter = &mut counters[usize::from(pid)];
        let begins = if index == 0 { 0x40 } else { 0 };
        bytes.extend([0x47, begins | (pid >> 8) as u8, pid as u8, 0x10 | *counter & 0x0F]);
        *counter = counter.wrapping_add(1);
        bytes.extend_from_slice(part);
        bytes.resize(bytes.len() + PACKET - 4 - part.len(), 0xFF);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_the_checksum_of_the_standard() {
        // Over a whole section with its checksum the sum is zero.
        let whole = section(0, 1, 0, 0, &[0, 1, 0xE1, 0]);
        let rest = whole.iter().fold(u32::MAX, |sum, byte| {
            (0..8).fold(
                sum ^ u32::from(*byte) << 24,
                |sum, _| if sum >> 31 == 1 { sum << 1 ^ 0x04C1_1DB7 } else { sum << 1 },
            )
        });
        assert_eq!(rest, 0);
        assert!(many_programmes().len().is_multiple_of(PACKET));
    }
}
