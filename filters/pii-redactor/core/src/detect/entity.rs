//! The kinds of values that are looked for: their names, and the presets that choose among them.

/// Makes the list of kinds: the variant, its name, and the preset that first has it.
macro_rules! entities {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal in $preset:ident;)+) => {
        /// A kind of value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Entity {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Entity {
            /// All of them, in the order in which they are told.
            pub const ALL: &[Entity] = &[$(Entity::$variant),+];

            /// The name in configurations, placeholders and metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Entity::$variant => $name),+ }
            }

            /// What it is, in a line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Entity::$variant => concat!($($doc),+).trim_ascii()),+ }
            }

            /// Whether the preset `default` has it: what is known by its own form and checks. The others need words around them.
            #[must_use]
            pub const fn is_default(self) -> bool {
                match self { $(Entity::$variant => entities!(@$preset)),+ }
            }
        }
    };
    (@default) => { true };
    (@all) => { false };
}

entities! {
    /// An address for mail.
    Email = "EMAIL" in default;
    /// A telephone number.
    Phone = "PHONE" in default;
    /// The number of a payment card.
    CreditCard = "CREDIT_CARD" in default;
    /// An international bank account number.
    Iban = "IBAN" in default;
    /// A United States social security number.
    UsSsn = "US_SSN" in default;
    /// A United States individual taxpayer identification number.
    UsItin = "US_ITIN" in default;
    /// A United Kingdom national insurance number.
    UkNino = "UK_NINO" in default;
    /// A United Kingdom NHS number.
    UkNhs = "UK_NHS" in default;
    /// A Canadian social insurance number.
    CaSin = "CA_SIN" in default;
    /// An Australian tax file number.
    AuTfn = "AU_TFN" in default;
    /// An Australian business number.
    AuAbn = "AU_ABN" in default;
    /// An Australian Medicare number.
    AuMedicare = "AU_MEDICARE" in default;
    /// An Indian Aadhaar number.
    InAadhaar = "IN_AADHAAR" in default;
    /// An Indian permanent account number.
    InPan = "IN_PAN" in default;
    /// A Spanish tax number of a person: NIF or NIE.
    EsNif = "ES_NIF" in default;
    /// An Italian tax code.
    ItCodiceFiscale = "IT_CODICE_FISCALE" in default;
    /// A Polish PESEL number.
    PlPesel = "PL_PESEL" in default;
    /// A Singapore NRIC or FIN.
    SgNric = "SG_NRIC" in default;
    /// A German tax identification number.
    DeSteuerId = "DE_STEUER_ID" in default;
    /// A Brazilian tax number of a person.
    BrCpf = "BR_CPF" in default;
    /// A Brazilian tax number of a company.
    BrCnpj = "BR_CNPJ" in default;
    /// An IPv4 or IPv6 address.
    IpAddress = "IP_ADDRESS" in default;
    /// A hardware address of a network interface.
    MacAddress = "MAC_ADDRESS" in default;
    /// An address of a cryptocurrency: Bitcoin, Ethereum and their kin.
    CryptoAddress = "CRYPTO_ADDRESS" in default;
    /// The user and password in an address (`scheme://user:password@host`), connection strings included.
    UrlCredentials = "URL_CREDENTIALS" in default;
    /// An access key of AWS, or a secret key beside its name.
    AwsKey = "AWS_KEY" in default;
    /// A key of Google's clouds.
    GcpKey = "GCP_KEY" in default;
    /// A key of Azure.
    AzureKey = "AZURE_KEY" in default;
    /// A token of GitHub.
    GithubToken = "GITHUB_TOKEN" in default;
    /// A token of GitLab.
    GitlabToken = "GITLAB_TOKEN" in default;
    /// A token or webhook of Slack.
    SlackToken = "SLACK_TOKEN" in default;
    /// A secret key of Stripe.
    StripeKey = "STRIPE_KEY" in default;
    /// A key of OpenAI.
    OpenaiKey = "OPENAI_KEY" in default;
    /// A key of Anthropic.
    AnthropicKey = "ANTHROPIC_KEY" in default;
    /// A token of npm.
    NpmToken = "NPM_TOKEN" in default;
    /// A token of PyPI.
    PypiToken = "PYPI_TOKEN" in default;
    /// A signed JSON web token.
    Jwt = "JWT" in default;
    /// A private key in PEM.
    PrivateKey = "PRIVATE_KEY" in default;
    /// What is called a password, secret, token or key, and looks like one.
    Secret = "SECRET" in default;
    /// The number of a passport, beside a word that says so.
    Passport = "PASSPORT" in all;
    /// The number of a driving licence, beside a word that says so.
    DrivingLicence = "DRIVING_LICENCE" in all;
    /// The number of a bank account, beside a word that says so.
    BankAccount = "BANK_ACCOUNT" in all;
    /// A date, beside words of birth.
    DateOfBirth = "DATE_OF_BIRTH" in all;
    /// A telephone number as it is written within one of twenty countries, beside a word that says so.
    NationalPhone = "NATIONAL_PHONE" in all;
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntitySet(u64);

impl EntitySet {
    /// Adds a kind.
    pub const fn add(&mut self, entity: Entity) {
        self.0 |= 1 << entity as u8;
    }

    /// Takes a kind away.
    pub const fn remove(&mut self, entity: Entity) {
        self.0 &= !(1 << entity as u8);
    }

    /// Whether a kind is in it.
    #[must_use]
    pub const fn has(self, entity: Entity) -> bool {
        self.0 & (1 << entity as u8) != 0
    }

    /// Whether one of several kinds is in it.
    #[must_use]
    pub fn has_any(self, entities: &[Entity]) -> bool {
        entities.iter().any(|entity| self.has(*entity))
    }

    /// All kinds that are known.
    #[must_use]
    pub fn all() -> Self {
        Entity::ALL.iter().copied().collect()
    }
}

impl FromIterator<Entity> for EntitySet {
    fn from_iter<I: IntoIterator<Item = Entity>>(entities: I) -> Self {
        let mut set = Self::default();
        entities.into_iter().for_each(|entity| set.add(entity));
        set
    }
}
