use crate::component::large_app;
use crate::harness::{granted, run, turnkey, Folder};

/// Runs texts out of a folder, to look what comes.
#[test]
fn scratch() {
    let Ok(list) = std::env::var("SCRATCH") else { return };
    let apps = Folder::new();
    for path in list.split(':') {
        let text = std::fs::read_to_string(path).unwrap();
        let mut flags = Vec::new();
        let mut pages = 4;
        let (mut fields, mut body) = (String::new(), String::new());
        for part in text.split("\n---\n") {
            let (head, rest) = part.split_once('\n').unwrap_or((part, ""));
            match head.trim() {
                "flags" => flags = rest.split_whitespace().map(str::to_owned).collect(),
                "pages" => pages = rest.trim().parse().unwrap(),
                "fields" => fields = rest.to_owned(),
                "body" => body = rest.to_owned(),
                other => panic!("{other}"),
            }
        }
        let folder = Folder::new();
        let app = large_app(&apps, pages, &fields, &body);
        let mut command = turnkey();
        command.args(["run"]).args(&flags).arg("--dir").arg(granted(folder.root(), "/d")).arg(app);
        let begin = std::time::Instant::now();
        let ran = run(&mut command);
        println!("{path}: {:?} {:?} peak {} MiB cpu {:?} wall {:?}\n{}", ran.ended, String::from_utf8_lossy(&ran.stdout), ran.peak_bytes >> 20, ran.cpu, begin.elapsed(), ran.stderr);
    }
}
