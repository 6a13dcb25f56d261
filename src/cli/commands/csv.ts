import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { type Command, Option } from 'commander'
import { AMOUNT_STYLES, DATE_STYLES, ENCODINGS } from '../../domain/imports/index.ts'
import type { Inputs, Outputs } from '../../trpc/client.ts'
import { idArgument, limitOption, take } from '../arguments.ts'
import { EXIT, UsageError } from '../exit.ts'
import { interruptible } from '../interrupt.ts'
import { formatTable, formatTime, printRaw } from '../output.ts'
import { progressBar } from '../progress.ts'
import type { Cli, Session } from '../session.ts'

type ImportView = Outputs['imports']['get']
type Preview = Outputs['imports']['preview']
type RowError = { row: number; column: string | null; message: string }
type ImportOptions = Pick<Inputs['imports']['create'], 'encoding' | 'amounts' | 'dates'> & {
  dryRun?: boolean
  map?: string[]
  heading: boolean
  rejected?: string
}

const POLL_MS = 200

export function addCsvCommands(noun: Command, kind: 'contacts' | 'leads', { session, show }: Cli): void {
  noun
    .command('import')
    .description(`import ${kind} from a CSV file`)
    .argument('<file>')
    .option('--dry-run', 'show the result without importing')
    .option(
      '--map <column=field...>',
      'the field of a column whose heading is not recognised; custom:<name> keeps any column',
    )
    .addOption(new Option('--encoding <name>', 'the encoding of the file (default: detected)').choices(ENCODINGS))
    .addOption(new Option('--amounts <style>', 'how to read amounts such as 1,234').choices(AMOUNT_STYLES))
    .addOption(new Option('--dates <style>', 'how to read dates such as 03/05/2024').choices(DATE_STYLES))
    .option('--no-heading', 'the file has no heading row; its columns are named 1, 2, …')
    .option('--rejected <file>', 'write the rejected rows to this file, with their reasons')
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
    .description(`export ${kind} as CSV`)
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
  if (bytes.length === 0) throw new UsageError(`The file ${file} is empty. Choose another file.`)
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

/** Splits `column=field` at the last `=`: a heading may contain one. */
function readPair(text: string): [string, string] {
  const cut = text.lastIndexOf('=')
  if (cut < 1 || cut === text.length - 1)
    throw new UsageError(
      `The mapping ${text} is not valid. Write column=field, such as "Cell phone=phone" or "City=custom:city".`,
    )
  return [text.slice(0, cut), text.slice(cut + 1).trim()]
}

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

export function addImportCommands(program: Command, { session, show }: Cli): void {
  const imports = program.command('imports').description('running and finished CSV imports')
  imports
    .command('list')
    .description('latest imports')
    .addOption(limitOption())
    .action(async ({ limit }: { limit: number }) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.imports.list.query(page))
      await show(items, () =>
        formatTable(
          ['started', 'kind', 'state', 'rows', 'created', 'updated', 'existing', 'rejected', 'blank', 'id'],
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
    .description('wait for the end of an import')
    .addArgument(idArgument('the id of the import'))
    .action(async (id: string) => {
      const { client } = await session()
      await showEnd(client, await follow(client, await client.imports.get.query({ id })), show)
    })
  imports
    .command('rejected')
    .description('write the rejected rows as CSV with their reasons; once corrected, they can be imported again')
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
    return `The import continues in the installation. Follow it with \`imports follow ${started.id}\`.`
  }
  return interruptible(onInterrupt, async () => {
    let state = started
    while (state.state === 'queued' || state.state === 'running') {
      bar.update(state.processed, state.total)
      await Bun.sleep(POLL_MS)
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
      ...(state.state === 'failed' ? [`the import failed: ${state.failure ?? 'no reason given'}`] : []),
      `${state.created} created, ${state.updated} updated, ${state.existing} existing, ${state.rejected} rejected${blankRows(state.blank)}`,
      ...describeErrors(state.errors),
      ...(state.rejected > 0 && state.state === 'done'
        ? [
            rejectedFile
              ? `the rejected rows are in ${rejectedFile}`
              : `the rejected rows: imports rejected ${state.id}`,
          ]
        : []),
    ].join('\n'),
  )
  if (state.state === 'failed') process.exitCode = EXIT.failed
  else if (state.rejected > 0) process.exitCode = EXIT.partly
}

const blankRows = (blank: number) => (blank > 0 ? `, ${blank} blank` : '')

function describePreview(preview: Preview): string {
  const fields = Object.entries(preview.mapping).map(([column, field]) => `  ${column} → ${field}`)
  return [
    `${preview.valid} of ${preview.total} rows can be imported: ${preview.created} would be created, ${preview.updated} updated, ${preview.existing} exist, ${preview.rejected} would be rejected${blankRows(preview.blank)}`,
    `read as ${preview.encoding ?? 'text'}, headings in row ${preview.headingRow}:`,
    ...fields,
    ...preview.notices,
    ...preview.questions.map(
      ({ field, column, rows, examples, choices }) =>
        `QUESTION  ${column}: ${rows} ${field} such as ${examples.join(', ')} can be read in two ways; add --${field} ${choices.join(` or --${field} `)}`,
    ),
    '',
    formatTable(
      ['row', 'outcome', 'phone', 'name', 'reason'],
      preview.rows.map((row) => [
        String(row.row),
        row.outcome,
        row.phone ?? '',
        row.name ?? '',
        row.errors.map(({ column, message }) => (column ? `${column}: ${message}` : message)).join('; '),
      ]),
    ),
    ...(preview.nextRow === null ? [] : [`… more rows from row ${preview.nextRow} on`]),
    ...describeErrors(preview.errors),
  ].join('\n')
}

function describeErrors(errors: RowError[]): string[] {
  return errors.map((error) => `line ${error.row}${error.column ? `, ${error.column}` : ''}: ${error.message}`)
}
