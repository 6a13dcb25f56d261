export { cancelMails, enqueueMail, type MailContent, mailStateOf, queueMail, requeueMails, sendMail } from './mails.ts'
