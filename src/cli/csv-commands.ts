import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import type { Command } from 'commander'
import type { Outputs } from '../trpc/client.ts'
import { idArgument, limitOption, take } from './arguments.ts'
import { EXIT } from './exit.ts'
import { interruptible } from './interrupt.ts'
import { formatTable, formatTime, print } from './output.ts'
import { progressBar } from './progress.ts'
import type { Cli, Session } from './session.ts'

type ImportView = Outputs['imports']['get']
type RowError = { row: number; column: string | null; message: string }

const LOOK_MS = 200

/** `import` and `export` of contacts or leads, below the command of their noun. */
export function addCsvCommands(noun: Command, kind: 'contacts' | 'leads', { session, show }: Cli): void {
  noun
    .command('import')
    .description(`take ${kind} in from a CSV file`)
    .argument('<file>')
    .option('--dry-run', 'show what would happen')
    .action(async (file: string, { dryRun }: { dryRun?: boolean }) => {
      const csv = await Bun.file(file).text()
      const { client } = await session()
      const preview = await client.imports.preview.mutate({ kind, csv })
      if (dryRun) {
        await show(preview, () =>
          [`${preview.valid} of ${preview.total} rows can be taken in`, ...describeErrors(preview.errors)].join('\n'),
        )
        if (preview.rejected > 0) process.exitCode = EXIT.partly
        return
      }
      const started = await client.imports.create.mutate({ kind, csv, mapping: preview.mapping })
      await showEnd(await follow(client, started), show)
    })
  noun
    .command('export')
    .description(`write the ${kind} as CSV`)
    .argument('[file]', 'default: standard output')
    .action(async (file: string | undefined) => {
      const { client } = await session()
      // A byte order mark, so that a spreadsheet reads Hebrew as it is.
      const out = file ? createWriteStream(file, { flags: 'wx', mode: 0o600 }) : null
      if (out) await once(out, 'open')
      out?.write('\ufeff')
      let cursor: string | null = null
      let rows = 0
      do {
        const page: Outputs['exports']['csv'] = await client.exports.csv.query({ kind, ...(cursor ? { cursor } : {}) })
        if (!out) await print(page.csv)
        else if (!out.write(page.csv)) await once(out, 'drain')
        rows += page.rows
        cursor = page.nextCursor
      } while (cursor)
      if (!out) return
      out.end()
      await once(out, 'finish')
      await show({ file, rows }, () => `${rows} rows`)
    })
}

/** `imports`: those that run and ran. */
export function addImportCommands(program: Command, { session, show }: Cli): void {
  const imports = program.command('imports').description('CSV files that are or were taken in')
  imports
    .command('list')
    .description('the latest imports')
    .addOption(limitOption())
    .action(async ({ limit }: { limit: number }) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.imports.list.query(page))
      await show(items, () =>
        formatTable(
          ['started', 'what', 'state', 'rows', 'made', 'filled in', 'left out', 'id'],
          items.map((row) => [
            formatTime(row.createdAt),
            row.kind,
            row.state,
            `${row.processed}/${row.total}`,
            String(row.created),
            String(row.updated),
            String(row.rejected),
            row.id,
          ]),
        ),
      )
    })
  imports
    .command('follow')
    .description('wait for the end of one')
    .addArgument(idArgument('the id of the import'))
    .action(async (id: string) => {
      const { client } = await session()
      await showEnd(await follow(client, await client.imports.get.query({ id })), show)
    })
}

async function follow(client: Session['client'], started: ImportView): Promise<ImportView> {
  const bar = progressBar('import')
  const onInterrupt = () => {
    bar.end()
    return `The import goes on in the installation: \`imports follow ${started.id}\` shows its end.`
  }
  return interruptible(onInterrupt, async () => {
    let state = started
    while (state.state === 'queued' || state.state === 'running') {
      bar.update(state.processed, state.total)
      await Bun.sleep(LOOK_MS)
      state = await client.imports.get.query({ id: started.id })
    }
    return state
  }).finally(bar.end)
}

async function showEnd(state: ImportView, show: Cli['show']): Promise<void> {
  await show(state, () =>
    [
      ...(state.state === 'failed' ? ['the import failed'] : []),
      `${state.created} made, ${state.updated} filled in, ${state.existing} there already, ${state.rejected} left out`,
      ...describeErrors(state.errors),
    ].join('\n'),
  )
  if (state.state === 'failed') process.exitCode = EXIT.failed
  else if (state.rejected > 0) process.exitCode = EXIT.partly
}

function describeErrors(errors: RowError[]): string[] {
  return errors.map((error) => `line ${error.row}${error.column ? `, ${error.column}` : ''}: ${error.message}`)
}
