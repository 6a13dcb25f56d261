import type { Command } from 'commander'

/** The words that may follow: sub-commands and options, level by level. */
function words(command: Command, path: string[] = []): { path: string; words: string[] }[] {
  const own = [
    ...command.commands.map((child) => child.name()),
    ...command.options.flatMap((option) => (option.long ? [option.long] : [])),
  ]
  return [
    { path: path.join(' '), words: own },
    ...command.commands.flatMap((child) => words(child, [...path, child.name()])),
  ]
}

/** A completion script for the shell; `name` is what the command line is called there. */
export function completionScript(program: Command, shell: string, name: string): string {
  if (!/^[\w-]+$/.test(name)) throw new Error('The name must be of letters, digits, _ and -.')
  const cases = words(program)
    .map(({ path, words }) => `    '${path}') candidates='${words.join(' ')}' ;;`)
    .join('\n')
  const bash = `_${name}_complete() {
  local path='' word candidates='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case $word in -*) continue ;; esac
    path="\${path:+$path }$word"
  done
  case $path in
${cases}
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${name}_complete ${name}
`
  if (shell === 'bash') return bash
  if (shell === 'zsh') return `autoload -U +X bashcompinit && bashcompinit\n${bash}`
  throw new Error(`${shell} is not known: bash or zsh.`)
}
