import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { Argument, type Command } from 'commander'
import { processEnvironment } from '../config.ts'
import { QUEUES } from '../jobs/registry.ts'
import { terminalLine } from '../lib/escape/terminal.ts'
import { backupTo, migrate, partialName, restoreFrom } from '../processes/maintenance.ts'
import { EXIT, UsageError } from './exit.ts'
import type { Finding } from './finding.ts'
import { interruptible } from './interrupt.ts'
import { formatTable, formatTime, print, shorten } from './output.ts'
import { progressBar } from './progress.ts'
import type { Cli } from './session.ts'

type QueueName = (typeof QUEUES)[number]

/** `doctor`, `migrate`, `backup`, `restore`, `queue`: the installation itself. */
export function addSystemCommands(program: Command, cli: Cli): void {
  const { show, settings, local, session } = cli
  program
    .command('doctor')
    .description('look at everything the installation needs, and say what to do')
    .option('--fix', 'lead the webhooks of our numbers at Twilio here')
    .action(async ({ fix }: { fix?: boolean }) => {
      const json = program.opts<{ json?: boolean }>().json
      const { examine } = await import('./doctor.ts')
      const findings: Finding[] = []
      const sound = await examine(
        settings(),
        local,
        (finding) => {
          findings.push(finding)
          if (!json) void print(`${describeFinding(finding)}\n`)
        },
        { fix: fix ?? false, environment: processEnvironment() },
      )
      if (json) await show({ sound, findings }, () => '')
      if (!sound) process.exitCode = EXIT.failed
    })
  program
    .command('migrate')
    .description('bring the database’s tables up to date')
    .action(async () => {
      const applied = await migrate(settings())
      await show({ applied }, () => (applied.length ? applied.join('\n') : 'nothing to do'))
    })

  program
    .command('backup')
    .description('write the database and all files into one archive')
    .argument('[file]', 'default: agentlocator-<time>.tar')
    .action(async (file: string | undefined) => {
      const path = file ?? `agentlocator-${new Date().toISOString().replace(/[:.]/g, '-')}.tar`
      const bar = progressBar('backup')
      const manifest = await interruptible(
        () => {
          bar.end()
          rmSync(partialName(path), { force: true })
          return 'Interrupted: no backup was written.'
        },
        () =>
          local(({ config, storage, version }) =>
            backupTo(config, storage, path, {
              version: version.version,
              progress: ({ what, done, total }) => bar.update(done, total, what),
            }),
          ),
      ).finally(bar.end)
      const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
      await show({ file: path, rows, files: manifest.files.length, missing: manifest.missing }, () =>
        [
          `${path}: ${rows} rows, ${manifest.files.length} files`,
          ...manifest.missing.map((key) => `missing from the storage: ${key}`),
        ].join('\n'),
      )
    })

  program
    .command('restore')
    .description('fill an empty installation from an archive')
    .argument('<file>')
    .action(async (file: string) => {
      const bar = progressBar('restore')
      const manifest = await interruptible(
        () => {
          bar.end()
          return 'Interrupted: the database is as empty as it was.'
        },
        () =>
          local(({ config, storage }) =>
            restoreFrom(config, storage, file, ({ what, done, total }) => bar.update(done, total, what)),
          ),
      ).finally(bar.end)
      const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
      await show({ rows, files: manifest.files.length }, () => `${rows} rows, ${manifest.files.length} files`)
    })

  const queue = program.command('queue').description('background work')
  const queueArgument = () => new Argument('<queue>').choices(QUEUES)
  queue
    .command('list')
    .description('what waits, runs and has failed')
    .action(async () => {
      const { client } = await session()
      const { items } = await client.system.queues.query()
      await show(items, () =>
        formatTable(
          ['queue', 'waiting', 'active', 'delayed', 'failed', 'oldest'],
          items.map((row) => [
            row.name,
            String(row.waiting),
            String(row.active),
            String(row.delayed),
            String(row.failed),
            row.oldestWaitingMs === null ? '' : `${Math.round(row.oldestWaitingMs / 1_000)}s`,
          ]),
        ),
      )
    })
  queue
    .command('failed')
    .description('the failed jobs and why')
    .addArgument(queueArgument())
    .action(async (name: QueueName) => {
      const { client } = await session()
      const { items } = await client.system.failedJobs.query({ queue: name })
      await show(items, () =>
        formatTable(
          ['failed', 'job', 'tries', 'why', 'id'],
          items.map((row) => [
            formatTime(row.failedAt),
            row.name,
            String(row.attempts),
            shorten(row.reason, 60),
            row.id,
          ]),
        ),
      )
    })
  queue
    .command('retry')
    .description('give failed jobs their tries again')
    .addArgument(queueArgument())
    .argument('[job]', 'left out, every failed job of the queue')
    .action(async (name: QueueName, jobId: string | undefined) => {
      const { client } = await session()
      const { count } = await client.system.retryJobs.mutate({ queue: name, ...(jobId ? { jobId } : {}) })
      await show({ count }, () => `${count} given another chance`)
    })
  queue
    .command('drain')
    .description('throw away what waits')
    .addArgument(queueArgument())
    .option('--delayed', 'what waits for a later time as well')
    .option('--yes', 'do not ask')
    .action(async (name: QueueName, { delayed, yes }: { delayed?: boolean; yes?: boolean }) => {
      const { client } = await session()
      if (!yes) await confirm(`Throw away what waits in ${name}?`)
      const { count } = await client.system.drainQueue.mutate({ queue: name, delayed: delayed ?? false })
      await show({ count }, () => `${count} thrown away`)
    })
}

function describeFinding({ state, check, found, advice }: Finding): string {
  const word = { ok: 'ok     ', warning: 'warning', problem: 'PROBLEM' }[state]
  return `${word}  ${terminalLine(check).padEnd(20)} ${terminalLine(found)}${advice ? `\n         → ${terminalLine(advice)}` : ''}`
}

/** Asks a person. @throws UsageError when there is none to ask, or the answer is no */
async function confirm(question: string): Promise<void> {
  if (!process.stdin.isTTY) throw new UsageError('There is nobody to ask: say --yes.')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // Readline holds the keyboard: it hears Ctrl-C instead of the process.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    const answer = await terminal.question(`${question} [y/N] `)
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError('Nothing was done.')
  } finally {
    terminal.close()
  }
}
