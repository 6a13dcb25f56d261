import { rmSync } from 'node:fs'
import type { Command } from 'commander'
import { processEnvironment } from '../../config.ts'
import type { Finding } from '../../domain/system/index.ts'
import { terminalLine } from '../../lib/escape/terminal.ts'
import { EXIT } from '../exit.ts'
import { interruptible } from '../interrupt.ts'
import { print } from '../output.ts'
import { progressBar } from '../progress.ts'
import type { Cli } from '../session.ts'

export function addInstallationCommands(program: Command, cli: Cli): void {
  addDoctorCommand(program, cli)
  addBackupCommand(program, cli)
  addRestoreCommand(program, cli)
}

function addDoctorCommand(program: Command, { show, settings, local }: Cli): void {
  program
    .command('doctor')
    .description('check everything that the installation needs, and print what to do')
    .option('--fix', 'set the webhooks of the business numbers at Twilio to this installation')
    .action(async ({ fix }: { fix?: boolean }) => {
      const json = program.opts<{ json?: boolean }>().json
      const { examine } = await import('../../processes/doctor/examine.ts')
      const findings: Finding[] = []
      const healthy = await examine(
        settings(),
        local,
        (finding) => {
          findings.push(finding)
          if (!json) void print(`${describeFinding(finding)}\n`)
        },
        { fix: fix ?? false, environment: processEnvironment() },
      )
      if (json) await show({ healthy, findings }, () => '')
      if (!healthy) process.exitCode = EXIT.failed
    })
  program
    .command('migrate')
    .description('apply the missing database migrations')
    .action(async () => {
      const { migrate } = await import('../../processes/maintenance.ts')
      const applied = await migrate(settings())
      await show({ applied }, () => (applied.length ? applied.join('\n') : 'The database is up to date.'))
    })
}

function addBackupCommand(program: Command, { show, local }: Cli): void {
  program
    .command('backup')
    .description('write the database and all files to one archive')
    .argument('[file]', 'default: agentlocator-<time>.tar')
    .action(async (file: string | undefined) => {
      const path = file ?? `agentlocator-${new Date().toISOString().replace(/[:.]/g, '-')}.tar`
      const { backupTo, partialName } = await import('../../processes/maintenance.ts')
      const { noteBackup } = await import('../../domain/system/index.ts')
      const bar = progressBar('backup')
      const manifest = await interruptible(
        () => {
          bar.end()
          rmSync(partialName(path), { force: true })
          return 'The backup was interrupted. No archive was written.'
        },
        () =>
          local(async ({ config, ctx, storage, version }) => {
            const written = await backupTo(config, storage, path, {
              version: version.version,
              progress: ({ what, done, total }) => bar.update(done, total, what),
            })
            const { files, missing } = written
            await noteBackup(ctx, { rows: countRows(written), files: files.length, missing: missing.length })
            return written
          }),
      ).finally(bar.end)
      const rows = countRows(manifest)
      await show({ file: path, rows, files: manifest.files.length, missing: manifest.missing }, () =>
        [
          `${path}: ${rows} rows, ${manifest.files.length} files`,
          ...manifest.missing.map((key) => `missing from the storage: ${key}`),
        ].join('\n'),
      )
    })
}

function addRestoreCommand(program: Command, { show, local }: Cli): void {
  program
    .command('restore')
    .description('restore an archive into an empty installation')
    .argument('<file>')
    .action(async (file: string) => {
      const { restoreFrom } = await import('../../processes/maintenance.ts')
      const bar = progressBar('restore')
      const manifest = await interruptible(
        () => {
          bar.end()
          return 'The restore was interrupted. The database is still empty.'
        },
        () =>
          local(({ config, storage }) =>
            restoreFrom(config, storage, file, ({ what, done, total }) => bar.update(done, total, what)),
          ),
      ).finally(bar.end)
      const rows = countRows(manifest)
      await show({ rows, files: manifest.files.length }, () => `${rows} rows, ${manifest.files.length} files`)
    })
}

function countRows({ tables }: { tables: { rows: number }[] }): number {
  return tables.reduce((sum, table) => sum + table.rows, 0)
}

function describeFinding({ state, check, found, advice }: Finding): string {
  const label = { ok: 'ok     ', warning: 'warning', problem: 'PROBLEM' }[state]
  return `${label}  ${terminalLine(check).padEnd(20)} ${terminalLine(found)}${advice ? `\n         → ${terminalLine(advice)}` : ''}`
}
