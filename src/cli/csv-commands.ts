import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { type Command, Option } from 'commander'
import { AMOUNT_STYLES, DATE_STYLES, ENCODINGS } from '../domain/imports/index.ts'
import type { Inputs, Outputs } from '../trpc/client.ts'
import { idArgument, limitOption, take } from './arguments.ts'
import { EXIT, UsageError } from './exit.ts'
import { interruptible } from './interrupt.ts'
import { formatTable, formatTime, printRaw } from './output.ts'
import { progressBar } from './progress.ts'
import type { Cli, Session } from './session.ts'

type ImportView = Outputs['imports']['get']
type Preview = Outputs['imports']['preview']
type RowError = { row: number; column: string | null; message: string }
type ImportOptions = Pick<Inputs['imports']['create'], 'encoding' | 'amounts' | 'dates'> & {
  dryRun?: boolean
  map?: string[]
  heading: boolean
  rejected?: string
}

const LOOK_MS = 200

/** `import` and `export` of contacts or leads, below the command of their noun. */
export function addCsvCommands(noun: Command, kind: 'contacts' | 'leads', { session, show }: Cli): void {
  noun
    .command('import')
    .description(`take ${kind} in from a CSV file`)
    .argument('<file>')
    .option('--dry-run', 'show what would happen')
    .option(
      '--map <column=field...>',
      'which column is what, where its heading does not tell; custom:<name> keeps any column',
    )
    .addOption(new Option('--encoding <name>', 'how the file is encoded (default: found out)').choices(ENCODINGS))
    .addOption(new Option('--amounts <style>', 'how amounts like 1,234 are meant').choices(AMOUNT_STYLES))
    .addOption(new Option('--dates <style>', 'how dates like 03/05/2024 are meant').choices(DATE_STYLES))
    .option('--no-heading', 'the file has no headings; its columns are called 1, 2, …')
    .option('--rejected <file>', 'write the rows that were refused there, with their reasons')
    .action(async (file: string, options: ImportOptions) => {
      const { client } = await session()
      const input = await toInput(kind, file, options)
      const preview = await client.imports.preview.mutate(input)
      if (options.dryRun) {
        await show(preview, () => describePreview(preview))
        if (preview.rejected > 0) process.exitCode = EXIT.partly
        return
      }
      const started = await client.imports.create.mutate(input)
      await showEnd(client, await follow(client, started), show, options.rejected)
    })
  noun
    .command('export')
    .description(`write the ${kind} as CSV`)
    .argument('[file]', 'default: standard output')
    .action(async (file: string | undefined) => {
      const { client } = await session()
      const rows = await writeCsv<string>(file, (cursor) =>
        client.exports.csv.query({ kind, ...(cursor ? { cursor } : {}) }),
      )
      if (file) await show({ file, rows }, () => `${rows} rows`)
    })
}

async function toInput(
  kind: 'contacts' | 'leads',
  file: string,
  options: ImportOptions,
): Promise<Inputs['imports']['create']> {
  const bytes = await Bun.file(file).bytes()
  if (bytes.length === 0) throw new UsageError(`${file} is empty.`)
  const { encoding, amounts, dates } = options
  return {
    kind,
    file: Buffer.from(bytes).toString('base64'),
    heading: options.heading,
    ...(encoding ? { encoding } : {}),
    ...(amounts ? { amounts } : {}),
    ...(dates ? { dates } : {}),
    ...(options.map ? { mapping: Object.fromEntries(options.map.map(readPair)) } : {}),
  }
}

/** `column=field`; a heading may hold `=` itself. */
function readPair(text: string): [string, string] {
  const cut = text.lastIndexOf('=')
  if (cut < 1 || cut === text.length - 1)
    throw new UsageError(`--map wants column=field, such as "Cell phone=phone" or "City=custom:city"; this is ${text}.`)
  return [text.slice(0, cut), text.slice(cut + 1).trim()]
}

/** Writes pages of CSV into a new file, with the mark by which spreadsheets know UTF-8, or to standard output. @returns how many rows */
async function writeCsv<Cursor>(
  file: string | undefined,
  read: (cursor: Cursor | null) => Promise<{ csv: string; rows: number; nextCursor: Cursor | null }>,
): Promise<number> {
  const out = file ? createWriteStream(file, { flags: 'wx' }) : null
  if (out) await once(out, 'open')
  out?.write('\ufeff')
  let cursor: Cursor | null = null
  let rows = 0
  do {
    const page: { csv: string; rows: number; nextCursor: Cursor | null } = await read(cursor)
    if (!out) await printRaw(page.csv)
    else if (!out.write(page.csv)) await once(out, 'drain')
    rows += page.rows
    cursor = page.nextCursor
  } while (cursor !== null)
  if (out) {
    out.end()
    await once(out, 'finish')
  }
  return rows
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
          ['started', 'what', 'state', 'rows', 'made', 'filled in', 'known', 'left out', 'empty', 'id'],
          items.map((row) => [
            formatTime(row.createdAt),
            row.kind,
            row.state,
            `${row.processed}/${row.total}`,
            ...[row.created, row.updated, row.existing, row.rejected, row.blank].map(String),
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
      await showEnd(client, await follow(client, await client.imports.get.query({ id })), show)
    })
  imports
    .command('rejected')
    .description('write the rows that were refused as CSV, with their reasons: mended, they can be taken in again')
    .addArgument(idArgument('the id of the import'))
    .argument('[file]', 'default: standard output')
    .action(async (id: string, file: string | undefined) => {
      const { client } = await session()
      const rows = await writeRejected(client, id, file)
      if (file) await show({ file, rows }, () => `${rows} rows`)
    })
}

function writeRejected(client: Session['client'], id: string, file: string | undefined): Promise<number> {
  return writeCsv<number>(file, (cursor) =>
    client.imports.rejected.query({ id, ...(cursor === null ? {} : { cursor }) }),
  )
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

async function showEnd(
  client: Session['client'],
  state: ImportView,
  show: Cli['show'],
  rejectedFile?: string,
): Promise<void> {
  if (rejectedFile && state.rejected > 0) await writeRejected(client, state.id, rejectedFile)
  await show(state, () =>
    [
      ...(state.state === 'failed' ? [`the import failed: ${state.failure ?? 'no reason was given'}`] : []),
      `${state.created} made, ${state.updated} filled in, ${state.existing} there already, ${state.rejected} left out${emptyRows(state.blank)}`,
      ...describeErrors(state.errors),
      ...(state.rejected > 0 && state.state === 'done'
        ? [
            rejectedFile
              ? `the rows left out are in ${rejectedFile}`
              : `the rows left out: imports rejected ${state.id}`,
          ]
        : []),
    ].join('\n'),
  )
  if (state.state === 'failed') process.exitCode = EXIT.failed
  else if (state.rejected > 0) process.exitCode = EXIT.partly
}

const emptyRows = (blank: number) => (blank > 0 ? `, ${blank} empty` : '')

function describePreview(preview: Preview): string {
  const fields = Object.entries(preview.mapping).map(([column, field]) => `  ${column} → ${field}`)
  return [
    `${preview.valid} of ${preview.total} rows can be taken in: ${preview.created} would be made, ${preview.updated} filled in, ${preview.existing} are there already, ${preview.rejected} are left out${emptyRows(preview.blank)}`,
    `read as ${preview.encoding ?? 'text'}, headings in row ${preview.headingRow}:`,
    ...fields,
    ...preview.notices,
    ...preview.questions.map(
      ({ field, column, rows, examples, choices }) =>
        `QUESTION  ${column}: ${rows} ${field} such as ${examples.join(', ')} can be read in two ways; say --${field} ${choices.join(` or --${field} `)}`,
    ),
    '',
    formatTable(
      ['row', 'outcome', 'phone', 'name', 'why'],
      preview.rows.map((row) => [
        String(row.row),
        row.outcome,
        row.phone ?? '',
        row.name ?? '',
        row.errors.map(({ column, message }) => (column ? `${column}: ${message}` : message)).join('; '),
      ]),
    ),
    ...(preview.nextRow === null ? [] : [`… and those from row ${preview.nextRow} on`]),
    ...describeErrors(preview.errors),
  ].join('\n')
}

function describeErrors(errors: RowError[]): string[] {
  return errors.map((error) => `line ${error.row}${error.column ? `, ${error.column}` : ''}: ${error.message}`)
}
