CREATE TABLE "business_credentials" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"provider" text NOT NULL,
	"sealed" text NOT NULL,
	"hint" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "business_credentials_known" CHECK ("business_credentials"."provider" in ('twilio', 'openai', 'paypal', 'tranzila'))
);
--> statement-breakpoint
ALTER TABLE "businesses" ADD COLUMN "speech_engine" text DEFAULT 'default' NOT NULL;--> statement-breakpoint
ALTER TABLE "payment_checkouts" ADD COLUMN "account" text;--> statement-breakpoint
ALTER TABLE "payment_transactions" ADD COLUMN "account" text;--> statement-breakpoint
ALTER TABLE "business_credentials" ADD CONSTRAINT "business_credentials_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "business_credentials_provider" ON "business_credentials" USING btree ("business_id","provider");--> statement-breakpoint
ALTER TABLE "businesses" ADD CONSTRAINT "businesses_speech_engine" CHECK ("businesses"."speech_engine" in ('default', 'openai-realtime', 'embedded'));