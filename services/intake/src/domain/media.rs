//! What a file is, by its content and never by its name, and the same file without what cameras and programs write into it:
//! place, time, device, author.

use img_parts::jpeg::{Jpeg, markers};
use img_parts::png::Png;
use img_parts::riff::RiffContent;
use img_parts::webp::{CHUNK_VP8X, WebP};
use img_parts::{Bytes, ImageEXIF};
use kernel::{Error, Result};

/// What may be sent along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    Jpeg,
    Png,
    Webp,
    Pdf,
    Text,
}

impl Media {
    pub const ALL: [Self; 5] = [Self::Jpeg, Self::Png, Self::Webp, Self::Pdf, Self::Text];

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
            Self::Text => "text/plain",
        }
    }

    pub fn from_media_type(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|media| media.media_type() == media_type)
    }

    /// What the bytes are; None if they are none of these.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            return Some(Self::Jpeg);
        }
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Some(Self::Png);
        }
        if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            return Some(Self::Webp);
        }
        if bytes.starts_with(b"%PDF-") {
            return Some(Self::Pdf);
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let readable = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t');
        // Markup that a browser would run is no plain text.
        let plain = !text.trim_start().starts_with('<');
        (plain && !text.is_empty() && text.chars().all(readable)).then_some(Self::Text)
    }
}

/// The file as it may be kept, if it is what it is taken for.
///
/// Properties: what comes out is of the claimed type, comes out of a second pass unchanged, and holds none of the metadata.
pub fn clean(claimed: &str, bytes: Vec<u8>) -> Result<(Media, Vec<u8>)> {
    let allowed = "JPEG, PNG, WebP, PDF and plain text can be sent";
    let media = Media::of(&bytes).ok_or_else(|| refuse("FILE_TYPE_REFUSED", format!("this kind of file cannot be taken; {allowed}")))?;
    if Media::from_media_type(claimed) != Some(media) {
        let message = format!("the content is {}, which is not what media_type says; {allowed}", media.media_type());
        return Err(refuse("FILE_TYPE_MISMATCH", message));
    }
    let cleaned = match media {
        Media::Jpeg => jpeg(bytes),
        Media::Png => png(bytes),
        Media::Webp => webp(bytes),
        Media::Pdf | Media::Text => Some(bytes),
    };
    let damaged =
        || refuse("FILE_DAMAGED", "the picture cannot be read, so what is hidden in it cannot be removed; save it anew".to_owned());
    Ok((media, cleaned.ok_or_else(damaged)?))
}

fn refuse(reason: &'static str, message: String) -> Error {
    Error::new(kernel::Code::InvalidArgument, reason, message)
}

/// Everything that a decoder does not need goes: EXIF, XMP, IPTC, comments, also between scans, and whatever follows the end.
fn jpeg(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let mut picture = Jpeg::from_bytes(Bytes::from(bytes)).ok()?;
    let turned = picture.exif().and_then(|exif| orientation(&exif));
    picture.segments_mut().retain(|segment| is_kept(segment.marker(), segment.contents()));
    // Which way up is no secret, and a picture of a rash lies on its side without it.
    picture.set_exif(turned.map(minimal_exif));
    let encoded = picture.encoder().bytes();
    let mut cleaned = encoded.get(..2)?.to_vec();
    segments(encoded.get(2..)?, &mut cleaned)?;
    Some(cleaned)
}

/// JFIF's own header, Adobe's, which says how colours are coded, a colour profile, which way up, and the picture itself.
fn is_kept(marker: u8, contents: &[u8]) -> bool {
    match marker {
        markers::APP0 => contents.starts_with(b"JFIF\0"),
        markers::APP14 => contents.starts_with(b"Adobe"),
        markers::APP2 => contents.starts_with(b"ICC_PROFILE\0"),
        markers::COM => false,
        marker => !(markers::APP1..=markers::APP15).contains(&marker),
    }
}

/// Copies all segments and the coded picture between them up to the picture's end; None if it has none. Of what may not be kept
/// only the block that says which way up is let through.
fn segments(mut rest: &[u8], out: &mut Vec<u8>) -> Option<()> {
    loop {
        let marker_at = rest.windows(2).position(|pair| {
            // A byte 0xff of the picture itself is followed by 0, and restarts carry no length.
            matches!(pair, [0xff, marker] if *marker != 0 && *marker != 0xff && !(markers::RST0..=markers::RST7).contains(marker))
        })?;
        let (coded, from_marker) = rest.split_at(marker_at);
        out.extend(coded);
        let marker = *from_marker.get(1)?;
        if marker == markers::EOI {
            out.extend([0xff, markers::EOI]);
            return Some(());
        }
        let length = usize::from(u16::from_be_bytes(from_marker.get(2..4)?.try_into().ok()?));
        let contents = from_marker.get(4..2 + length)?;
        let turned = marker == markers::APP1 && contents.strip_prefix(b"Exif\0\0").is_some_and(is_minimal_exif);
        if is_kept(marker, contents) || turned {
            out.extend(from_marker.get(..2 + length)?);
        }
        rest = from_marker.get(2 + length..)?;
    }
}

fn is_minimal_exif(block: &[u8]) -> bool {
    orientation(block).is_some_and(|turned| block == minimal_exif(turned))
}

fn png(bytes: Vec<u8>) -> Option<Vec<u8>> {
    const KEPT: [&[u8; 4]; 16] = [
        b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs", b"acTL", b"fcTL",
        b"fdAT", b"cICP",
    ];
    let mut picture = Png::from_bytes(Bytes::from(bytes)).ok()?;
    picture.chunks_mut().retain(|chunk| KEPT.contains(&&chunk.kind()));
    Some(picture.encoder().bytes().to_vec())
}

fn webp(bytes: Vec<u8>) -> Option<Vec<u8>> {
    const KEPT: [&[u8; 4]; 7] = [b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];
    /// Flags in the header that announce EXIF and XMP.
    const ANNOUNCED: u8 = 0x08 | 0x04;
    let mut picture = WebP::from_bytes(Bytes::from(bytes)).ok()?;
    picture.chunks_mut().retain(|chunk| KEPT.contains(&&chunk.id()));
    for chunk in picture.chunks_mut().iter_mut().filter(|chunk| chunk.id() == CHUNK_VP8X) {
        let mut header = chunk.content().data()?.to_vec();
        *header.first_mut()? &= !ANNOUNCED;
        *chunk.content_mut() = RiffContent::Data(Bytes::from(header));
    }
    Some(picture.encoder().bytes().to_vec())
}

/// The way a camera was held, 2 to 8, from the first directory of an EXIF block; None if it says nothing, or upright.
fn orientation(exif: &[u8]) -> Option<u8> {
    const TAG: u16 = 0x0112;
    let little = match exif.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let two = |at: usize| exif.get(at..at + 2)?.try_into().ok().map(|b| if little { u16::from_le_bytes(b) } else { u16::from_be_bytes(b) });
    let four =
        |at: usize| exif.get(at..at + 4)?.try_into().ok().map(|b| if little { u32::from_le_bytes(b) } else { u32::from_be_bytes(b) });
    let first = usize::try_from(four(4)?).ok().filter(|first| *first < exif.len())?;
    let entry = (0..usize::from(two(first)?)).map(|n| first + 2 + n * 12).find(|at| two(*at) == Some(TAG))?;
    u8::try_from(two(entry + 8)?).ok().filter(|value| (2..=8).contains(value))
}

/// An EXIF block that says nothing but which way up.
fn minimal_exif(orientation: u8) -> Bytes {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    Bytes::from(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"GPS 57.7089 N 11.9746 E";

    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xff, marker];
        bytes.extend(u16::try_from(content.len() + 2).unwrap().to_be_bytes());
        bytes.extend(content);
        bytes
    }

    /// A picture of no size that has all that cameras write, turned as told.
    fn photo(turned: u8) -> Vec<u8> {
        let mut exif = b"Exif\0\0".to_vec();
        exif.extend(minimal_exif(turned));
        exif.extend(SECRET);
        let mut bytes = vec![0xff, 0xd8];
        bytes.extend(segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"));
        bytes.extend(segment(0xe1, &exif));
        bytes.extend(segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", SECRET].concat()));
        bytes.extend(segment(0xed, SECRET));
        bytes.extend(segment(0xfe, SECRET));
        bytes.extend(segment(0xdb, &[0; 65]));
        bytes.extend(segment(0xda, &[1, 1, 0, 0, 63, 0]));
        bytes.extend([0x12, 0xff, 0, 0x34, 0xff, 0xd0, 0x56]);
        // A comment between two scans of a picture that comes in steps, and a second picture behind the first.
        bytes.extend(segment(0xfe, SECRET));
        bytes.extend(segment(0xda, &[1, 1, 0, 0, 63, 0]));
        bytes.extend([0x12, 0x34, 0xff, 0xd9]);
        bytes.extend(SECRET);
        bytes.extend([0xff, 0xd9]);
        bytes
    }

    fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(content.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(kind);
        bytes.extend(content);
        bytes.extend(crc(&[kind.as_slice(), content].concat()).to_be_bytes());
        bytes
    }

    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
        })
    }

    fn png_photo() -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.extend(chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]));
        bytes.extend(chunk(b"tEXt", SECRET));
        bytes.extend(chunk(b"eXIf", SECRET));
        bytes.extend(chunk(b"IDAT", &[8, 29, 99, 96, 0, 0, 0, 2, 0, 1]));
        bytes.extend(chunk(b"IEND", &[]));
        bytes
    }

    fn webp_photo() -> Vec<u8> {
        let riff = |kind: &[u8; 4], content: &[u8]| {
            let mut bytes = kind.to_vec();
            bytes.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
            bytes.extend(content);
            bytes.extend(vec![0; content.len() % 2]);
            bytes
        };
        let mut body = b"WEBP".to_vec();
        body.extend(riff(b"VP8X", &[0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        body.extend(riff(b"VP8L", &[0x2f, 0, 0, 0, 0, 0]));
        body.extend(riff(b"EXIF", SECRET));
        body.extend(riff(b"XMP ", SECRET));
        riff(b"RIFF", &body)
    }

    fn holds(bytes: &[u8], what: &[u8]) -> bool {
        bytes.windows(what.len()).any(|window| window == what)
    }

    #[test]
    fn pictures_lose_what_cameras_write_and_keep_which_way_up() {
        for (claimed, bytes) in [("image/jpeg", photo(6)), ("image/png", png_photo()), ("image/webp", webp_photo())] {
            assert!(holds(&bytes, SECRET));
            let (media, cleaned) = clean(claimed, bytes.clone()).unwrap_or_else(|error| panic!("{claimed}: {error}"));
            assert_eq!(media.media_type(), claimed);
            assert!(!holds(&cleaned, SECRET), "{claimed} still holds it");
            assert!(!holds(&cleaned, b"XMP ") && !holds(&cleaned, b"eXIf"));
            assert_eq!(clean(claimed, cleaned.clone()).unwrap().1, cleaned, "{claimed}: a second pass changes nothing");
        }
        let (_, turned) = clean("image/jpeg", photo(6)).unwrap();
        assert_eq!(Jpeg::from_bytes(Bytes::from(turned)).unwrap().exif().and_then(|exif| orientation(&exif)), Some(6));
        let (_, upright) = clean("image/jpeg", photo(1)).unwrap();
        assert_eq!(Jpeg::from_bytes(Bytes::from(upright)).unwrap().exif(), None);
    }

    #[test]
    fn what_it_is_decides_and_not_what_it_is_called() {
        let reason = |claimed: &str, bytes: &[u8]| clean(claimed, bytes.to_vec()).unwrap_err().reason;
        assert_eq!(reason("image/jpeg", b"%PDF-1.7 hello"), "FILE_TYPE_MISMATCH");
        assert_eq!(reason("text/plain", &photo(1)), "FILE_TYPE_MISMATCH");
        assert_eq!(reason("text/html", b"hello"), "FILE_TYPE_MISMATCH");
        for bytes in [b"MZ\x90\0".as_slice(), b"", b"<html>", b"  <svg onload=x>", b"\0\0\0\x18ftypheic", b"PK\x03\x04", b"text\0zero"] {
            assert_eq!(reason("text/plain", bytes), "FILE_TYPE_REFUSED", "{bytes:?}");
        }
        assert_eq!(reason("image/jpeg", &[0xff, 0xd8, 0xff]), "FILE_DAMAGED");
        assert_eq!(clean("text/plain", "två rader\nåäö".into()).unwrap().0, Media::Text);
    }

    proptest::proptest! {
        #[test]
        fn no_file_is_too_strange(head in 0_usize..4, tail in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let starts: [&[u8]; 4] = [&[0xff, 0xd8, 0xff], b"\x89PNG\r\n\x1a\n", b"RIFF\x10\0\0\0WEBP", b""];
            let bytes = [starts[head], tail.as_slice()].concat();
            for media in Media::ALL {
                if let Ok((kept, cleaned)) = clean(media.media_type(), bytes.clone()) {
                    proptest::prop_assert_eq!(Media::of(&cleaned), Some(kept));
                }
            }
        }
    }
}
