export { beat, leave, type ProcessKind, processesAlive, processId } from './heartbeats.ts'
export { createProcessMessages, type ProcessMessages } from './process-messages.ts'
export { usersExist } from './users.ts'
