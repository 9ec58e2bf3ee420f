// A bolt that splits sentences, written from the protocol page. Acks come later than the next tuple may.
const fs = require("fs");
const readline = require("readline");

const lines = [];
const waiting = new Map();

function send(message) {
    fs.writeSync(1, JSON.stringify(message) + "\nend\n");
}

function handle(message) {
    if (Array.isArray(message)) return;
    if (message.pidDir !== undefined) {
        fs.writeFileSync(`${message.pidDir}/${process.pid}`, "");
        send({ pid: process.pid });
    } else if (message.stream === "__heartbeat") {
        send({ command: "sync" });
    } else {
        waiting.set(message.id, message);
        setImmediate(split);
    }
}

function split() {
    for (const [id, { tuple }] of waiting) {
        for (const word of tuple[0].split(" ")) {
            send({ command: "emit", anchors: [id], tuple: [word], need_task_ids: false });
        }
        send({ command: "ack", id });
    }
    waiting.clear();
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
    if (line === "end") {
        handle(JSON.parse(lines.splice(0).join("\n")));
    } else {
        lines.push(line);
    }
});
