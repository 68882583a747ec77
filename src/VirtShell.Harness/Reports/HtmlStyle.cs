namespace VirtShell.Harness.Reports;

/// <summary>The look of the HTML page.</summary>
internal static class HtmlStyle
{
    public const string Css = """
        :root{--bg:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#5b6675;--line:#dde2e8;--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
        --passed:#1a7f45;--passed-bg:#e3f4ea;--failed:#c22f2f;--failed-bg:#fbe6e6;--error:#a35a00;--error-bg:#fdf0dc;--cancelled:#697485;--cancelled-bg:#eceff3;--log:#10151c;--log-ink:#d7dee8}
        @media (prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1b212a;--ink:#e5eaf1;--soft:#98a4b3;--line:#2d3642;
        --passed:#5ccf8b;--passed-bg:#173424;--failed:#ff8080;--failed-bg:#40201f;--error:#f2b25c;--error-bg:#3b2c16;--cancelled:#9aa6b5;--cancelled-bg:#2a313b;--log:#0b0f14;--log-ink:#d7dee8}}
        *{box-sizing:border-box}body{margin:0 auto;max-width:1180px;padding:24px 20px 60px;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
        h1{margin:2px 0 4px;font-size:26px;line-height:1.25}h2{margin:34px 0 12px;font-size:18px}h3{margin:18px 0 8px;font-size:12px;letter-spacing:.06em;text-transform:uppercase;color:var(--soft)}
        header{background:var(--card);border:1px solid var(--line);border-top:5px solid var(--c);border-radius:10px;padding:18px 22px}header p{margin:0 0 14px;color:var(--soft)}
        .passed{--c:var(--passed);--b:var(--passed-bg)}.failed{--c:var(--failed);--b:var(--failed-bg)}.error{--c:var(--error);--b:var(--error-bg)}.cancelled,.skipped{--c:var(--cancelled);--b:var(--cancelled-bg)}
        .verdict{color:var(--c);font-weight:700}.bar{display:flex;height:10px;gap:2px;border-radius:5px;overflow:hidden}.bar span{background:var(--c)}
        nav{display:flex;flex-wrap:wrap;gap:8px;margin-top:14px}button{font:inherit;color:inherit;background:none;border:1px solid var(--line);border-radius:16px;padding:3px 14px;cursor:pointer}button[aria-pressed=true]{background:var(--ink);color:var(--card);border-color:var(--ink)}
        .scroll{overflow-x:auto}table{border-collapse:collapse}.matrix{background:var(--card);border:1px solid var(--line);min-width:50%}.matrix th,.matrix td{border:1px solid var(--line);padding:8px 14px;text-align:left;font-weight:500}.matrix thead th{color:var(--soft);font-size:13px}
        .matrix td{background:var(--b)}.matrix td a{color:var(--c);font-weight:600;text-decoration:none}.matrix td small{display:block;color:var(--soft);font-size:12px}.matrix td.none{background:none;color:var(--soft)}
        .item{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--c);border-radius:8px;margin:10px 0;padding:0 18px}.item[hidden]{display:none}.item>summary{display:flex;align-items:center;gap:12px;padding:11px 0;cursor:pointer;list-style:none}.item>summary::-webkit-details-marker{display:none}
        .badge{background:var(--b);color:var(--c);font-size:12px;font-weight:700;border-radius:4px;padding:2px 9px;white-space:nowrap}.name{font-weight:600;flex:1;overflow-wrap:anywhere}.end,.time{color:var(--soft);font-size:13px;white-space:nowrap}
        .item[open]{padding-bottom:16px}.message{background:var(--b);color:var(--ink);border-left:3px solid var(--c)}pre{margin:6px 0;padding:10px 12px;background:var(--bg);border-radius:6px;font:12.5px/1.45 var(--mono);white-space:pre-wrap;overflow-wrap:anywhere;overflow:auto;max-height:560px}
        .columns{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:0 32px}@media (max-width:800px){.columns{grid-template-columns:1fr}.end{display:none}}
        ol.steps,ul.assertions{list-style:none;margin:0;padding:0}.steps li,.assertions li{border-left:3px solid var(--c);padding:3px 0 3px 10px;margin:3px 0}.line{display:flex;gap:12px;align-items:center}.what{flex:1;font:13px var(--mono);overflow-wrap:anywhere}
        .skipped .what{color:var(--soft)}.track{position:relative;width:120px;height:6px;background:var(--bg);border-radius:3px;overflow:hidden;flex:none}.track i{display:block;height:100%;background:var(--c)}.took{width:74px;text-align:right;color:var(--soft);font-size:13px;flex:none;white-space:nowrap}.steps p{margin:2px 0;color:var(--soft);font-size:13px}
        .assertions small{display:block;color:var(--soft);overflow-wrap:anywhere}.metrics th{font-weight:500;text-align:left;padding:3px 18px 3px 0;color:var(--soft)}.metrics td{padding:3px 12px 3px 0;font-variant-numeric:tabular-nums}.delta{position:relative;display:inline-block;width:70px;height:8px;margin-right:8px;background:linear-gradient(var(--soft),var(--soft)) center/1px 100% no-repeat var(--bg)}.delta i{position:absolute;top:0;height:100%;background:var(--error)}
        dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:3px 18px;margin:0;font-size:13px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere;font-family:var(--mono)}
        .crash{border-left:3px solid var(--failed);padding-left:14px}.crash mark{background:var(--failed-bg);color:inherit}.serial{margin-top:16px}details summary{cursor:pointer}.serial pre{background:var(--log);color:var(--log-ink)}.quiet,footer{color:var(--soft);font-size:13px}footer{margin-top:40px}
        .screen{margin:6px 0}.screen img{max-width:100%;border:1px solid var(--soft);border-radius:4px;image-rendering:pixelated}.screen figcaption{color:var(--soft);font-size:13px}
        @media print{body{background:#fff}.item{break-inside:avoid}nav{display:none}}
        """;

    /// <summary>Filters by outcome, and opens the item that a link names.</summary>
    public const string Script = """
        (function(){var b=document.querySelectorAll('button[data-show]');b.forEach(function(x){x.addEventListener('click',function(){b.forEach(function(y){y.setAttribute('aria-pressed',String(y===x))});var s=x.dataset.show;document.querySelectorAll('.item').forEach(function(i){i.hidden=s!=='all'&&i.dataset.outcome!==s})})});
        function go(){var i=location.hash.length>1&&document.getElementById(location.hash.slice(1));if(i){i.hidden=false;i.open=true;i.scrollIntoView()}}window.addEventListener('hashchange',go);go()})();
        """;
}
