/** Money as people of the language write it: `79.00 ₪`, `$79.00`. */
export function formatMoney(language: 'he' | 'en', amount: number, currency: string): string {
  return new Intl.NumberFormat(language === 'he' ? 'he-IL' : 'en-US', {
    style: 'currency',
    currency,
    // With the sign in words where the language has one; never "US$" in an English text.
    currencyDisplay: 'narrowSymbol',
  }).format(amount / 100)
}

type Paid = { amount: number; currency: string; description: string; businessName: string }

export function linkText(language: 'he' | 'en', payment: Paid & { url: string }): string {
  const money = formatMoney(language, payment.amount, payment.currency)
  return language === 'he'
    ? `${payment.businessName}: בקשת תשלום\n${payment.description}\nסכום: ${money}\nלתשלום מאובטח: ${payment.url}`
    : `${payment.businessName}: payment request\n${payment.description}\nAmount: ${money}\nPay securely: ${payment.url}`
}

export function receiptText(language: 'he' | 'en', payment: Paid & { id: string; paidAt: Date | null }): string {
  const money = formatMoney(language, payment.amount, payment.currency)
  const reference = payment.id.slice(-12)
  return language === 'he'
    ? `התשלום התקבל, תודה!\n${payment.businessName}: ${payment.description}\nסכום: ${money}\nאסמכתא: ${reference}`
    : `Payment received, thank you!\n${payment.businessName}: ${payment.description}\nAmount: ${money}\nReference: ${reference}`
}
