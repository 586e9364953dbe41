//! A small image in the OCI layout: one layer, one file.

use std::{fs, path::Path};

use ring::digest::{SHA256, digest};
use serde_json::json;

/// Writes an image whose one file says `text`, tagged `latest`; its digest.
pub fn write(folder: &Path, text: &str) -> String {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("the folder of blobs");
    let put = |bytes: &[u8]| {
        let hex = sha256(bytes);
        fs::write(blobs.join(&hex), bytes).expect("a blob");
        (format!("sha256:{hex}"), bytes.len())
    };
    let (layer, layer_size) = put(&tar("hello.txt", text.as_bytes()));
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer]},
    });
    let (config, config_size) = put(config.to_string().as_bytes());
    let kind = |what: &str| format!("application/vnd.oci.image.{what}");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": kind("manifest.v1+json"),
        "config": {"mediaType": kind("config.v1+json"), "digest": config, "size": config_size},
        "layers": [{"mediaType": kind("layer.v1.tar"), "digest": layer, "size": layer_size}],
    });
    let (manifest, manifest_size) = put(manifest.to_string().as_bytes());
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": kind("manifest.v1+json"), "digest": manifest, "size": manifest_size,
            "annotations": {"org.opencontainers.image.ref.name": "latest"},
        }],
    });
    fs::write(folder.join("index.json"), index.to_string()).expect("the index");
    let layout = json!({"imageLayoutVersion": "1.0.0"});
    fs::write(folder.join("oci-layout"), layout.to_string()).expect("the layout");
    manifest
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An archive with one file (POSIX ustar).
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    let mut field = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    field(0, name);
    field(100, "0000644\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &format!("{:011o}\0", content.len()));
    field(136, "00000000000\0");
    field(148, "        ");
    field(156, "0");
    field(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    // the file is filled up to whole blocks, and two empty ones end the archive
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_archive_is_read_by_tar() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.tar"), super::tar("hello.txt", b"hi\n")).unwrap();
        let mut tar = std::process::Command::new("tar");
        let output = tar.args(["-xOf", "a.tar"]).current_dir(folder.path()).output().unwrap();
        assert_eq!((output.stdout, output.stderr), (b"hi\n".to_vec(), Vec::new()));
    }
}
