// SPDX-License-Identifier: GPL-2.0-or-later
// worker.js - Node.js: timers, files, worker_threads, a child process; on either side of the gate
const { Worker, isMainThread, parentPort } = require("worker_threads");
const { createHash } = require("crypto");
const { spawn } = require("child_process");
const fs = require("fs/promises");

function chain(text, n) {
	for (let i = 0; i < n; i++)
		text = createHash("sha256").update(text).digest("hex");
	return text;
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const ask = (worker, text) => new Promise((done) => {
	worker.once("message", done);
	worker.postMessage(text);
});

async function main() {
	const workers = [1, 2, 3, 4].map(() => new Worker(__filename));
	const child = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
	const echo = (text) => new Promise((done) => {
		child.stdout.once("data", (data) => done(data.toString()));
		child.stdin.write(text);
	});
	const round = async (text) => (await Promise.all(workers.map((w, i) => ask(w, text + i)))).join("").slice(0, 100);
	const first = await round("a");
	let ticks = 0;
	setInterval(() => ticks++, 20);
	console.log(first, await echo("hello"));
	console.log("ready");
	const there = (path) => fs.access(path).then(() => true, () => false);
	while (!(await there("go"))) {
		if (await round("a") !== first || await echo("hello") !== "hello")
			console.log("another answer at the gate");
		await sleep(400);
	}
	for (let i = 0; i < 5; i++) {
		await fs.writeFile("node.txt", await round(first + i));
		console.log(await fs.readFile("node.txt", "utf8"), await echo("hello " + i));
	}
	const before = ticks;
	await sleep(200);
	console.log(ticks > before, await round("a") === first);
	child.stdin.end();
	await Promise.all(workers.map((w) => w.terminate()));
	console.log("end");
	process.exit(0);
}

if (!isMainThread) {
	parentPort.on("message", (text) => parentPort.postMessage(chain(text, 2000)));
} else {
	main();
}
