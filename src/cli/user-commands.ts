import type { Command } from 'commander'
import { makeResetLink } from '../domain/members/index.ts'
import { formatTime } from './output.ts'
import type { Cli } from './session.ts'

/** `user`: logins, whichever businesses they belong to. Works on this machine's database itself. */
export function addUserCommands(program: Command, cli: Cli): void {
  const user = program.command('user').description('logins of the installation')
  user
    .command('reset-password')
    .description('print a link by which somebody sets a new password; it works once, for a day')
    .argument('<email>')
    .option('--without-second-factor', 'also switch the second factor off, for somebody who lost it')
    .action(async (email: string, options: { withoutSecondFactor?: true }) => {
      const made = await cli.local((deps) => makeResetLink(deps.ctx, email, deps.links, options))
      await cli.show(made, () => `Hand this link over; it works until ${formatTime(made.expiresAt)}:\n${made.link}`)
    })
}
