import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import type { Command } from 'commander'
import { backupTo, migrate, restoreFrom, withDatabase } from '../maintenance.ts'
import { formatTable, formatTime, shorten } from './output.ts'
import { progressBar } from './progress.ts'
import type { Cli } from './session.ts'

const QUEUE_NAMES = ['crm', 'whatsapp', 'recordings'] as const

/** `migrate`, `backup`, `restore`, `queue`, and CSV in and out. */
export function addDataCommands(program: Command, cli: Cli): void {
  const { session, show } = cli
  program
    .command('migrate')
    .description('bring the database’s tables up to date')
    .action(async () => {
      const config = cli.settings()
      const applied = await migrate(config)
      await show({ applied }, () => (applied.length ? applied.join('\n') : 'nothing to do'))
    })

  program
    .command('backup')
    .description('write the database and all files into one archive')
    .argument('[file]', 'default: agentlocator-<time>.tar')
    .action(async (file: string | undefined) => {
      const path = file ?? `agentlocator-${new Date().toISOString().replace(/[:.]/g, '-')}.tar`
      const config = cli.settings()
      const bar = progressBar('backup')
      const manifest = await cli.local(({ storage, version }) =>
        backupTo(withDatabase(config), storage, path, {
          version: version.version,
          progress: ({ what, done, total }) => bar.update(done, total, what),
        }),
      )
      bar.end()
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
      const config = cli.settings()
      const bar = progressBar('restore')
      const manifest = await cli.local(({ storage }) =>
        restoreFrom(withDatabase(config), storage, file, ({ what, done, total }) => bar.update(done, total, what)),
      )
      bar.end()
      const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
      await show({ rows, files: manifest.files.length }, () => `${rows} rows, ${manifest.files.length} files`)
    })

  const queue = program.command('queue').description('background work')
  queue.command('list').action(async () => {
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
    .argument('<queue>')
    .action(async (name: string) => {
      const { client } = await session()
      const { items } = await client.system.failedJobs.query({ queue: queueOf(name) })
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
    .argument('<queue>')
    .argument('[job]', 'left out, every failed job of the queue')
    .action(async (name: string, jobId: string | undefined) => {
      const { client } = await session()
      const { count } = await client.system.retryJobs.mutate({ queue: queueOf(name), ...(jobId ? { jobId } : {}) })
      await show({ count }, () => `${count} given another chance`)
    })
  queue
    .command('drain')
    .description('throw away what waits')
    .argument('<queue>')
    .option('--delayed', 'what waits for a later time as well')
    .action(async (name: string, { delayed }: { delayed?: boolean }) => {
      const { client } = await session()
      const { count } = await client.system.drainQueue.mutate({ queue: queueOf(name), delayed: delayed ?? false })
      await show({ count }, () => `${count} thrown away`)
    })
}

/** `import` and `export` of contacts or leads, below the command of their noun. */
export function addCsvCommands(noun: Command, kind: 'contacts' | 'leads', { session, show }: Cli): void {
  noun
    .command('import')
    .description(`take ${kind} in from a CSV file`)
    .argument('<file>')
    .option('--dry-run', 'show what would happen')
    .action(async (file: string, { dryRun }: { dryRun?: boolean }) => {
      const { client } = await session()
      const csv = await Bun.file(file).text()
      const preview = await client.imports.preview.mutate({ kind, csv })
      const tellErrors = (errors: { row: number; column: string | null; message: string }[]) =>
        errors.map((error) => `line ${error.row}${error.column ? `, ${error.column}` : ''}: ${error.message}`)
      if (dryRun) {
        await show(preview, () =>
          [`${preview.valid} of ${preview.total} rows can be taken in`, ...tellErrors(preview.errors)].join('\n'),
        )
        if (preview.rejected > 0) process.exitCode = 2
        return
      }
      const started = await client.imports.create.mutate({ kind, csv, mapping: preview.mapping })
      const bar = progressBar('import')
      let state = started
      while (state.state === 'queued' || state.state === 'running') {
        bar.update(state.processed, state.total)
        await Bun.sleep(200)
        state = await client.imports.get.query({ id: started.id })
      }
      bar.end()
      await show(state, () =>
        [
          `${state.created} made, ${state.updated} filled in, ${state.rejected} left out`,
          ...tellErrors(state.errors),
        ].join('\n'),
      )
      if (state.rejected > 0) process.exitCode = 2
    })
  noun
    .command('export')
    .description(`write the ${kind} as CSV`)
    .argument('[file]', 'default: standard output')
    .action(async (file: string | undefined) => {
      const { client } = await session()
      const out = file ? createWriteStream(file, { flags: 'wx' }) : process.stdout
      if (file) out.write('\ufeff')
      let cursor: string | null = null
      let rows = 0
      do {
        const page: { csv: string; rows: number; nextCursor: string | null } = await client.exports.csv.query({
          kind,
          ...(cursor ? { cursor } : {}),
        })
        if (!out.write(page.csv)) await once(out, 'drain')
        rows += page.rows
        cursor = page.nextCursor
      } while (cursor)
      if (file) {
        out.end()
        await once(out, 'finish')
        await show({ file, rows }, () => `${rows} rows`)
      }
    })
}

function queueOf(name: string): (typeof QUEUE_NAMES)[number] {
  const found = QUEUE_NAMES.find((candidate) => candidate === name)
  if (!found) throw new Error(`${name} is no queue: ${QUEUE_NAMES.join(', ')}.`)
  return found
}
