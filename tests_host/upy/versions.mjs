// Runs a Python file on MicroPython's WebAssembly port, with folders of this PC in its memory.
//
//     node versions.mjs PACKAGE FILE [FOLDER=/place ...]
//
// What it prints comes at once; an exception of the file is the exit code 1.
import { readdirSync, readFileSync, statSync } from "node:fs";

const [release, file, ...folders] = process.argv.slice(2);
const { loadMicroPython } = await import(`${release}/micropython.mjs`);
const python = await loadMicroPython({
    heapsize: 4 << 20,
    linebuffer: true,
    stdout: (line) => console.log(line),
});

function copy(from, to) {
    python.FS.mkdir(to);
    for (const name of readdirSync(from)) {
        const path = `${from}/${name}`;
        if (statSync(path).isDirectory()) {
            copy(path, `${to}/${name}`);
        } else if (/\.(mpy|txt)$/.test(name)) {
            python.FS.writeFile(`${to}/${name}`, readFileSync(path));
        }
    }
}

for (const folder of folders) {
    copy(...folder.split("="));
}
try {
    python.runPython(readFileSync(file, "utf8"));
} catch (error) {
    console.log(error.message);
    process.exitCode = 1;
}
