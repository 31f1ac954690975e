//! The documented columns of each kind of export, and mappings to them.

use super::account;
use super::columns::{ATTRIBUTES, Column, key};
use super::referral;
use crate::core::diagnostic::did_you_mean;
use crate::core::domain::visible;
use crate::core::lifecycle::detail::Facts;

/// One documented column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    pub name: &'static str,
    pub required: bool,
    pub meaning: &'static str,
}

/// Returns the columns of an export, in their documented order.
pub fn documented(facts: Facts) -> Vec<Meaning> {
    fn of<C>(columns: &[Column<C>]) -> Vec<Meaning> {
        let meaning =
            |column: &Column<C>| Meaning { name: column.name, required: column.required, meaning: column.meaning };
        columns.iter().map(meaning).collect()
    }
    match facts {
        Facts::Accounts => of(&account::COLUMNS),
        Facts::Referrals => of(&referral::COLUMNS),
    }
}

/// Parses `HEADER=COLUMN`, which tells the column, or the attribute, that a header stands for.
///
/// # Errors
/// Returns a sentence with columns that exist.
pub fn mapping(facts: Facts, text: &str) -> Result<(String, String), String> {
    let (header, column) =
        text.rsplit_once('=').ok_or_else(|| format!("`{text}` is not `HEADER=COLUMN`, such as `Téléphone=phone`"))?;
    let (header, column) = (visible(header.trim()).trim().to_owned(), column.trim());
    if header.is_empty() {
        return Err(format!("`{text}` names no header before the `=`"));
    }
    if column.strip_prefix(ATTRIBUTES).is_some_and(|name| !name.trim().is_empty()) {
        return Ok((header, column.to_owned()));
    }
    let known = documented(facts);
    if let Some(known) = known.iter().find(|known| key(known.name) == key(column)) {
        return Ok((header, known.name.to_owned()));
    }
    let names: Vec<&str> = known.iter().map(|known| known.name).collect();
    let help = did_you_mean(column, names.iter().copied())
        .unwrap_or_else(|| format!("columns are `{}`, and `{ATTRIBUTES}NAME` for others", names.join("`, `")));
    Err(format!("there is no column `{column}`: {help}"))
}

/// Words of headers in other languages, written as [`key`] writes them, and the columns that they likely stand for.
const FOREIGN: [(&str, &[&str]); 12] = [
    ("id", &["identifiant", "identificador", "codigo", "code", "reference", "ref", "numeroclient", "numclient"]),
    ("account_id", &["compte", "idcompte", "parrain", "idparrain", "cuenta", "conta", "account", "accountnumber"]),
    ("name", &["nom", "nomcomplet", "nometprenom", "prenom", "prenoms", "nombre", "nome", "fullname", "firstname"]),
    (
        "phone",
        &[
            "telephone",
            "tel",
            "portable",
            "mobile",
            "numero",
            "numerodetelephone",
            "numtel",
            "telefono",
            "telefone",
            "celular",
            "whatsapp",
            "phonenumber",
            "gsm",
        ],
    ),
    ("country", &["pays", "pais", "land", "codepays", "countrycode"]),
    (
        "registered_at",
        &[
            "inscription",
            "dateinscription",
            "datedinscription",
            "inscritle",
            "datecreation",
            "creele",
            "fecha",
            "fechaderegistro",
            "datadecadastro",
            "createdat",
            "registrationdate",
            "signupdate",
        ],
    ),
    ("paid_at", &["paiement", "datepaiement", "datedepaiement", "payele", "pago", "fechadepago", "paymentdate"]),
    ("consent", &["consentement", "accord", "consentimiento", "consentimento", "optin"]),
    ("language", &["langue", "idioma", "lingua", "sprache"]),
    ("birth_date", &["datenaissance", "datedenaissance", "naissance", "neele", "fechadenacimiento", "birthday", "dob"]),
    ("profession", &["metier", "profesion", "profissao", "occupation", "job"]),
    ("timezone", &["fuseau", "fuseauhoraire", "zonahoraria", "fusohorario", "tz"]),
];

/// Returns pairs of a header and the missing column that it likely stands for.
pub fn likely<'a>(missing: &[&'static str], found: &'a [String]) -> Vec<(&'a str, &'static str)> {
    let stands_for = |header: &str, column: &str| {
        let key: String = key(header).chars().filter(|c| c.is_alphanumeric()).collect();
        FOREIGN.iter().any(|(name, words)| *name == column && words.contains(&key.as_str()))
    };
    let of = |column: &&'static str| {
        let header = found.iter().find(|header| stands_for(header, column));
        header.map(|header| (header.as_str(), *column))
    };
    missing.iter().filter_map(of).collect()
}
