import type { Command } from 'commander'
import { makeResetLink } from '../../domain/members/index.ts'
import { formatTime } from '../output.ts'
import type { Cli } from '../session.ts'

export function addUserCommands(program: Command, cli: Cli): void {
  const user = program.command('user').description('logins of the installation')
  user
    .command('reset-password')
    .description('print a link to set a new password; it works once, for one day')
    .argument('<email>')
    .option('--without-second-factor', 'also remove a lost second factor')
    .action(async (email: string, options: { withoutSecondFactor?: true }) => {
      const made = await cli.local((deps) => makeResetLink(deps.ctx, email, deps.links, options))
      await cli.show(
        made,
        () => `Send this link to the person. It works until ${formatTime(made.expiresAt)}:\n${made.link}`,
      )
    })
}
